"""The network of ProteinMPNN (Dauparas et al., Science 378 (2022) 49-56), forward only.

A graph of residues: each knows its 48 nearest by C-alpha. Three encoder layers read the backbone, three decoder layers read
the backbone and the letters that are already known, and give log-probabilities of the 20 residues at a site. Written from
the paper and the names in the published weights; tests compare it with the authors' code. One structure at a time, float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.weights import torch_library

__all__ = ["HIDDEN", "Encoded", "MPNNNetwork"]

HIDDEN = 128
"""Numbers that describe a residue inside the network."""

_SCALE = 30.0
"""What sums over neighbours are divided by."""

_REACH = 32
"""Difference of residue numbers beyond which all are alike."""

_ATOMS = {"N": 0, "CA": 1, "C": 2, "O": 3, "CB": 4}

_PAIRS = (
    *(("CA", "CA"), ("N", "N"), ("C", "C"), ("O", "O"), ("CB", "CB")),
    *(("CA", "N"), ("CA", "C"), ("CA", "O"), ("CA", "CB"), ("N", "C")),
    *(("N", "O"), ("N", "CB"), ("CB", "C"), ("CB", "O"), ("O", "C")),
    *(("N", "CA"), ("C", "CA"), ("O", "CA"), ("CB", "CA"), ("C", "N")),
    *(("O", "N"), ("CB", "N"), ("C", "CB"), ("O", "CB"), ("C", "O")),
)
"""Atom of the residue, atom of the neighbour: the order in which distances enter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A backbone as the encoder sees it.

    Args:
        nodes: L x 128.
        edges: L x K x 128.
        neighbours: L x K indices, nearest first; the first is the residue itself.
        known: L, whether the residue has coordinates.
    """

    nodes: Any
    edges: Any
    neighbours: Any
    known: Any


class MPNNNetwork:
    """The network with its weights.

    Args:
        state: name -> tensor, as in ``model_state_dict`` of the published files.
        neighbours: how many nearest residues each knows.
    """

    def __init__(self, state: Mapping[str, Any], *, neighbours: int = 48) -> None:
        self._torch = torch_library()
        self._state = {name: tensor.float() for name, tensor in state.items()}
        self._neighbours = neighbours

    def encode(self, backbone: Any, numbers: Any, chains: Any) -> Encoded:
        """A backbone through the encoder.

        Args:
            backbone: L x 4 x 3, N, CA, C and O in angstrom; NaN where an atom is not known.
            numbers: L integers, places along the chain.
            chains: L integers, equal within a chain.
        """
        torch = self._torch
        known = torch.isfinite(backbone).all(dim=-1).all(dim=-1)
        edges, near = self._edges(torch.nan_to_num(backbone), known, numbers, chains)
        nodes = torch.zeros(len(backbone), HIDDEN)
        edges = self._linear("W_e", edges)
        both = (known[:, None] & known[near]).float()
        for layer in range(3):
            name = f"encoder_layers.{layer}"
            message = self._message(
                name, ("W1", "W2", "W3"), torch.cat([_wide(nodes, near), edges, nodes[near]], -1)
            )
            nodes = self._update(name, nodes, message * both[..., None], known)
            message = self._message(
                name, ("W11", "W12", "W13"), torch.cat([_wide(nodes, near), edges, nodes[near]], -1)
            )
            edges = self._norm(f"{name}.norm3", edges + message)
        return Encoded(nodes=nodes, edges=edges, neighbours=near, known=known)

    def decode(self, encoded: Encoded, letters: Any, seen: Any) -> Any:
        """Log-probabilities of 21 letters (the last stands for unknown) as the network was trained to give them.

        Args:
            letters: L integers, indices into ``ACDEFGHIKLMNPQRSTVWYX``.
            seen: L x L truth values: row i says whose letters, and states that came of letters, site i sees; to be a
                likelihood, those that come before it in some order.

        Returns:
            L x 21.
        """
        return self._letters(self._states(encoded, letters, seen)[-1])

    def given_others(self, encoded: Encoded, letters: Any) -> Any:
        """Log-probabilities at every site given the letters of all others, in one go: L x 21.

        Each site sees the letters of its neighbours, and what these know from the backbone alone. In the order in which the
        network was trained they would also know each other's letters, which takes a pass a site and changes little: the
        log-ratios of the two correlate by 0.98 on protein G.
        """
        torch = self._torch
        nobody = torch.zeros(len(letters), len(letters), dtype=torch.bool)
        apart = self._states(encoded, letters, nobody)
        everybody_else = ~torch.eye(len(letters), dtype=torch.bool)
        return self._letters(self._states(encoded, letters, everybody_else, apart)[-1])

    def _states(self, encoded: Encoded, letters: Any, seen: Any, apart: list[Any] | None = None) -> list[Any]:
        """What each site knows before the first and after each decoder layer: four times L x 128.

        Args:
            apart: what the others know at each layer, where that is not what this pass gives.
        """
        near, torch = encoded.neighbours, self._torch
        opened = (torch.gather(seen, 1, near) & encoded.known[:, None]).float()[..., None]
        shut = encoded.known.float()[:, None, None] - opened
        letter = self._state["W_s.weight"][letters][near]
        backbone = shut * torch.cat([encoded.edges, torch.zeros_like(letter), encoded.nodes[near]], -1)
        states = [encoded.nodes]
        for layer in range(3):
            others = states[-1] if apart is None else apart[layer]
            around = opened * torch.cat([encoded.edges, letter, others[near]], -1) + backbone
            states.append(self._decoder(layer, states[-1], around, encoded.known))
        return states

    def _letters(self, nodes: Any) -> Any:
        return self._torch.log_softmax(self._linear("W_out", nodes), dim=-1)

    def _decoder(self, layer: int, nodes: Any, around: Any, known: Any) -> Any:
        name = f"decoder_layers.{layer}"
        wide = nodes[:, None, :].expand(-1, around.shape[1], -1)
        message = self._message(name, ("W1", "W2", "W3"), self._torch.cat([wide, around], -1))
        return self._update(name, nodes, message, known)

    def _edges(self, backbone: Any, known: Any, numbers: Any, chains: Any) -> tuple[Any, Any]:
        """Edge features L x K x 128 and the neighbours L x K that they lead to."""
        torch = self._torch
        atoms = torch.cat([backbone, _beta(torch, backbone)[:, None, :]], dim=1)
        apart = torch.sqrt(((atoms[:, None, 1] - atoms[None, :, 1]) ** 2).sum(-1) + 1e-6)
        both = (known[:, None] & known[None, :]).float()
        apart = apart * both
        farthest = apart.max(dim=-1, keepdim=True).values
        near = torch.topk(
            apart + (1.0 - both) * farthest, min(self._neighbours, len(atoms)), dim=-1, largest=False
        )
        shells = [self._shells(near.values)]
        for own, other in _PAIRS[1:]:
            reach = atoms[:, None, _ATOMS[own]] - atoms[near.indices][:, :, _ATOMS[other]]
            shells.append(self._shells(torch.sqrt((reach**2).sum(-1) + 1e-6)))
        same = chains[:, None] == chains[near.indices]
        offset = (numbers[:, None] - numbers[near.indices] + _REACH).clip(0, 2 * _REACH)
        offset = torch.where(same, offset, 2 * _REACH + 1)
        place = self._linear(
            "features.embeddings.linear", torch.nn.functional.one_hot(offset, 2 * _REACH + 2).float()
        )
        features = torch.cat([place, *shells], -1)
        edges = features @ self._state["features.edge_embedding.weight"].T
        return self._norm("features.norm_edges", edges), near.indices

    def _shells(self, distance: Any) -> Any:
        """Distances in angstrom as 16 overlapping shells from 2 to 22."""
        centres = self._torch.linspace(2.0, 22.0, 16)
        return self._torch.exp(-(((distance[..., None] - centres) / 1.25) ** 2))

    def _message(self, name: str, weights: tuple[str, str, str], x: Any) -> Any:
        gelu = self._torch.nn.functional.gelu
        for weight in weights[:2]:
            x = gelu(self._linear(f"{name}.{weight}", x))
        return self._linear(f"{name}.{weights[2]}", x)

    def _update(self, name: str, nodes: Any, message: Any, known: Any) -> Any:
        nodes = self._norm(f"{name}.norm1", nodes + message.sum(-2) / _SCALE)
        inner = self._torch.nn.functional.gelu(self._linear(f"{name}.dense.W_in", nodes))
        nodes = self._norm(f"{name}.norm2", nodes + self._linear(f"{name}.dense.W_out", inner))
        return nodes * known.float()[:, None]

    def _linear(self, name: str, x: Any) -> Any:
        return self._torch.nn.functional.linear(x, self._state[f"{name}.weight"], self._state[f"{name}.bias"])

    def _norm(self, name: str, x: Any) -> Any:
        weight, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        return self._torch.nn.functional.layer_norm(x, (HIDDEN,), weight, bias)


def _wide(nodes: Any, near: Any) -> Any:
    """Each residue's own numbers beside those of its neighbours: L x K x 128."""
    return nodes[:, None, :].expand(-1, near.shape[1], -1)


def _beta(torch: Any, backbone: Any) -> Any:
    """Where C-beta stands, from N, CA and C of ideal geometry: L x 3."""
    nitrogen, alpha, carbon = backbone[:, 0], backbone[:, 1], backbone[:, 2]
    b, c = alpha - nitrogen, carbon - alpha
    return -0.58273431 * torch.cross(b, c, dim=-1) + 0.56802827 * b - 0.54067466 * c + alpha
