"""The network of ESM-2 (Lin et al., Science 379 (2023) 1123-1130), forward only.

A transformer over residues: rotary positions, layer norms before attention and before the feed-forward part. Written from
the paper and the names that Hugging Face's format gives the weights; tests compare it with the authors' code. One sequence
at a time, so that what comes of it does not depend on its company.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.errors import BadInput
from models.weights import torch_library

__all__ = ["LONGEST", "ESM2Network", "see_that_fits", "tokens"]

LONGEST = 1022
"""Residues that the network was trained to read at once."""

_START, _END, _MASK = 0, 2, 32
_LETTERS = "LAGVSERTIDPKQNFYMHWC"
_FIRST = 4
"""Token of the first of :data:`_LETTERS`."""

_MASKED_IN_TRAINING = 0.15 * 0.8
_ROTATION = 10_000.0


def tokens(sequence: str, masked: Sequence[int] = ()) -> list[int]:
    """What the network reads of a sequence of the 20 amino acids: start, a number a residue, end.

    Args:
        masked: places, counted from 0, that are hidden from it.
    """
    inner = [_MASK if i in masked else _FIRST + _LETTERS.index(letter) for i, letter in enumerate(sequence)]
    return [_START, *inner, _END]


class ESM2Network:
    """The network with its weights.

    Args:
        state: name -> tensor, in the format of Hugging Face's ``EsmModel`` or of a model built on it.
        config: what ``config.json`` beside the weights says.

    Raises:
        BadInput: the weights are of another architecture, or parts of them are missing.
    """

    def __init__(self, state: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self._torch = torch_library()
        self._state = {name.removeprefix("esm."): tensor.float() for name, tensor in state.items()}
        see_that_fits(config)
        self.layers, self.width = int(config["num_hidden_layers"]), int(config["hidden_size"])
        self._heads, self._dropout = (
            int(config["num_attention_heads"]),
            bool(config.get("token_dropout", True)),
        )
        self._epsilon = float(config.get("layer_norm_eps", 1e-5))
        needed = ["embeddings.word_embeddings", "encoder.emb_layer_norm_after"]
        needed += [f"encoder.layer.{self.layers - 1}.output.dense"] if self.layers else []
        if lost := [name for name in needed if f"{name}.weight" not in self._state]:
            raise BadInput(
                f"The weights lack {lost[0]}, so they are not those of an ESM-2 of {self.layers} layers.",
                way_out="Give config.json and weights of one model.",
            )

    def embed(self, read: Sequence[int]) -> Any:
        """Tokens -> (residues) x width, start and end left out.

        Args:
            read: as :func:`tokens` gives.
        """
        return self._hidden(read)[1:-1]

    def log_probabilities(self, read: Sequence[int]) -> Any:
        """Tokens -> (residues) x 33, natural logarithms over all tokens.

        Raises:
            BadInput: the weights lack the head that turns residues into probabilities.
        """
        if "lm_head.dense.weight" not in self._state:
            raise BadInput(
                "These weights of ESM-2 lack the part that says how likely a residue is.",
                way_out="Give those of the whole model (EsmForMaskedLM).",
            )
        functional = self._torch.nn.functional
        x = functional.gelu(self._linear("lm_head.dense", self._hidden(read)[1:-1]))
        x = self._norm("lm_head.layer_norm", x)
        letters = self._state.get("lm_head.decoder.weight", self._state["embeddings.word_embeddings.weight"])
        return self._torch.log_softmax(x @ letters.T + self._state["lm_head.bias"], dim=-1)

    def _hidden(self, read: Sequence[int]) -> Any:
        torch = self._torch
        given = torch.tensor(list(read), dtype=torch.long)
        x = self._state["embeddings.word_embeddings.weight"][given]
        if self._dropout:
            hidden = given == _MASK
            x = torch.where(hidden[:, None], 0.0, x)
            x = x * (1.0 - _MASKED_IN_TRAINING) / (1.0 - hidden.float().mean())
        turn = self._turn(len(given))
        for layer in range(self.layers):
            name = f"encoder.layer.{layer}"
            x = x + self._attention(name, self._norm(f"{name}.attention.LayerNorm", x), turn)
            inner = self._linear(f"{name}.intermediate.dense", self._norm(f"{name}.LayerNorm", x))
            x = x + self._linear(f"{name}.output.dense", torch.nn.functional.gelu(inner))
        return self._norm("encoder.emb_layer_norm_after", x)

    def _attention(self, name: str, x: Any, turn: tuple[Any, Any]) -> Any:
        size = self.width // self._heads
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", x).view(len(x), self._heads, size).transpose(0, 1)
            for part in ("query", "key", "value")
        )
        query, key = _turned(self._torch, query * size**-0.5, turn), _turned(self._torch, key, turn)
        weights = self._torch.softmax(query @ key.transpose(1, 2), dim=-1)
        return self._linear(
            f"{name}.attention.output.dense", (weights @ value).transpose(0, 1).reshape(len(x), -1)
        )

    def _turn(self, length: int) -> tuple[Any, Any]:
        """Cosine and sine of how far each place is turned, (length) x (width of a head)."""
        torch, size = self._torch, self.width // self._heads
        rates = 1.0 / _ROTATION ** (torch.arange(0, size, 2).float() / size)
        angles = torch.outer(torch.arange(length).float(), rates)
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos(), angles.sin()

    def _linear(self, name: str, x: Any) -> Any:
        return self._torch.nn.functional.linear(x, self._state[f"{name}.weight"], self._state[f"{name}.bias"])

    def _norm(self, name: str, x: Any) -> Any:
        weight, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        return self._torch.nn.functional.layer_norm(x, (self.width,), weight, bias, self._epsilon)


def _turned(torch: Any, x: Any, turn: tuple[Any, Any]) -> Any:
    """Queries or keys with their places in them (Su et al., RoFormer, arXiv:2104.09864)."""
    first, second = x.chunk(2, dim=-1)
    return x * turn[0] + torch.cat([-second, first], dim=-1) * turn[1]


def see_that_fits(config: Mapping[str, Any]) -> None:
    """See that a configuration is that of an ESM-2.

    Raises:
        BadInput: it is another network's.
    """
    wanted = {
        "model_type": "esm",
        "position_embedding_type": "rotary",
        "vocab_size": 33,
        "emb_layer_norm_before": False,
    }
    for name, value in wanted.items():
        if config.get(name, value) != value or (name == "model_type" and name not in config):
            raise BadInput(
                f"config.json says {name}: {config.get(name)!r}, where an ESM-2 has {value!r}.",
                way_out="Give the folder of an ESM-2 in Hugging Face's format.",
            )
    whole = all(
        isinstance(config.get(name), int)
        for name in ("num_hidden_layers", "hidden_size", "num_attention_heads")
    )
    if not whole or config["hidden_size"] % (2 * config["num_attention_heads"]):
        raise BadInput(
            "config.json does not say how many layers and heads the network has and how wide it is, or they don't fit.",
            way_out="Give the folder of an ESM-2 in Hugging Face's format.",
        )
