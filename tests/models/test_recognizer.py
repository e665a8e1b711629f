from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from stsearch.config import RecognizerConfig
from stsearch.models.recognizer import IGNORED, Recognizer, build_recognizer
from stsearch.text.decoding import END


@pytest.fixture
def crops() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(4, 3, 4, 16, generator=generator) * 255
    return torch.nn.functional.interpolate(coarse, size=(32, 128), mode="bilinear")


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_order_judges_the_characters_and_two_judge_the_end(
    micro_recognizer: Recognizer, crops: torch.Tensor
) -> None:
    logits = micro_recognizer.teach(micro_recognizer.features(crops[:2]), ["ab", "Z"], 4, random())
    a, b, z = micro_recognizer.charset.encode("abZ")
    assert logits.targets.tolist() == [
        [[a, b, END]] * 2 + [[a, b, IGNORED]] * 2,
        [[z, END, IGNORED]] * 2 + [[z, IGNORED, IGNORED]] * 2,
    ]
    assert {name: branch.shape for name, branch in logits.branches.items()} == {
        "visual": (2, 4, 3, 95),
        "cross": (2, 4, 3, 95),
    }


def test_a_label_is_not_seen_before_it_is_spelled(micro_recognizer: Recognizer, crops: torch.Tensor) -> None:
    features = micro_recognizer.features(crops[:1])
    one, other = (micro_recognizer.teach(features, [word], 1, random()) for word in ("abcd", "abxy"))
    for name in ("visual", "cross"):
        left, right = one.branches[name], other.branches[name]
        assert torch.allclose(left[0, 0, :3], right[0, 0, :3], atol=1e-5)
        assert not torch.allclose(left[0, 0, 3], right[0, 0, 3])


def test_padding_changes_nothing(micro_recognizer: Recognizer, crops: torch.Tensor) -> None:
    features = micro_recognizer.features(crops[:2])
    alone = micro_recognizer.teach(features[:1], ["ab"], 2, random())
    beside = micro_recognizer.teach(features, ["ab", "longer-word"], 2, random())
    assert torch.allclose(alone.branches["visual"][0, :, :3], beside.branches["visual"][0, :, :3], atol=1e-5)


def test_the_image_side_learns_from_the_visual_branch_alone(
    micro_recognizer: Recognizer, crops: torch.Tensor
) -> None:
    features = micro_recognizer.features(crops)
    logits = micro_recognizer.teach(features, ["a", "b", "c", "d"], 2, random())
    logits.branches["cross"].sum().backward()
    assert all(p.grad is None for p in micro_recognizer.image.parameters())
    assert micro_recognizer.cross is not None
    assert all(p.grad is not None for p in micro_recognizer.cross.parameters())


def test_without_the_cross_modal_branch_the_visual_one_learns_as_before(
    micro_recognizer: Recognizer, crops: torch.Tensor
) -> None:
    features, words = micro_recognizer.features(crops[:2]), ["ab", "Z"]
    both, alone = (
        micro_recognizer.teach(features, words, 2, random(), with_cross=cross).branches
        for cross in (True, False)
    )
    assert (sorted(both), sorted(alone)) == (["cross", "visual"], ["visual"])
    assert torch.equal(both["visual"], alone["visual"])


def test_a_recognizer_of_one_branch_holds_no_weight_of_the_other(
    micro_recognizer_config: RecognizerConfig, crops: torch.Tensor
) -> None:
    recognizer = build_recognizer(dataclasses.replace(micro_recognizer_config, cross_modal=False)).eval()
    assert recognizer.cross is None
    assert not any(name.startswith("cross") for name in recognizer.state_dict())
    features = recognizer.features(crops)
    assert list(recognizer.teach(features, ["a", "b", "c", "d"], 2, random()).branches) == ["visual"]
    assert recognizer.read(features).shape[0] == 4


def test_the_losses_reach_every_parameter(micro_recognizer: Recognizer, crops: torch.Tensor) -> None:
    micro_recognizer.train()
    features = micro_recognizer.features(crops)
    logits = micro_recognizer.teach(features, ["a", "b", "c", "d"], 2, random())
    heads = micro_recognizer.ctc_logits(features).sum() + micro_recognizer.orientation_logits(features).sum()
    (logits.branches["visual"].sum() + logits.branches["cross"].sum() + heads).backward()
    missing = [name for name, p in micro_recognizer.named_parameters() if p.grad is None]
    assert missing == []


@pytest.mark.parametrize("cross_modal", [True, False])
@pytest.mark.parametrize("autoregressive", [True, False])
@pytest.mark.parametrize("refinements", [0, 1, 2])
def test_every_way_to_read_gives_probabilities_that_do_not_depend_on_the_batch(
    micro_recognizer: Recognizer,
    crops: torch.Tensor,
    cross_modal: bool,
    autoregressive: bool,
    refinements: int,
) -> None:
    micro_recognizer.config = dataclasses.replace(
        micro_recognizer.config,
        cross_modal=cross_modal,
        autoregressive=autoregressive,
        refinements=refinements,
    )
    with torch.inference_mode():
        together, alone = (
            micro_recognizer.read(micro_recognizer.features(each)) for each in (crops, crops[2:3])
        )
    assert together.sum(dim=-1).allclose(torch.ones(together.shape[:2]))
    length = min(alone.shape[1], together.shape[1])
    assert torch.allclose(together[2:3, :length], alone[:, :length], atol=1e-5)


class Speller:
    """A decoder that spells, of what stands in row n of the memory, n times the same character."""

    def context(self, tokens: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.rows = len(tokens)
        return torch.zeros(self.rows, 1, 1, 1), torch.zeros(self.rows, 1, 1, 1)

    def __call__(
        self,
        memory: tuple[torch.Tensor, torch.Tensor],
        context: tuple[torch.Tensor, torch.Tensor],
        places: torch.Tensor,
    ) -> torch.Tensor:
        lengths = memory[0].flatten()
        assert context[0].shape == (self.rows, 1, int(places) + 1, 1)
        classes = torch.where(places < lengths, 10 + lengths, END).long()
        return torch.nn.functional.one_hot(classes, 95).float()[:, None]


def test_words_that_ended_leave_and_the_others_are_spelled_to_their_ends(
    micro_recognizer: Recognizer,
) -> None:
    lengths = torch.tensor([3, 1, 7, 0, 2, 1, 5, 2, 1, 1, 0, 4, 2, 1, 3, 1, 2])
    memory = (lengths[:, None, None, None], lengths[:, None, None, None])
    decoder = Speller()
    micro_recognizer.visual.start = 95
    logits = micro_recognizer._spell(decoder, memory, 26)  # type: ignore[arg-type]  # a stand-in
    assert decoder.rows == 1  # of 17
    expected = [[10 + n] * n + [END] * (8 - n) for n in lengths.tolist()]
    assert logits.argmax(dim=-1).tolist() == expected


def test_refining_fills_in_each_character_from_the_others(
    micro_recognizer: Recognizer, crops: torch.Tensor
) -> None:
    memory = micro_recognizer.visual.memory(micro_recognizer.features(crops[:1]))
    spelled = torch.zeros(1, 5, 95)
    for place, character in enumerate([3, 7, 9, END, 5]):  # what follows the end is nothing
        spelled[0, place, character] = 1.0
    refined = micro_recognizer._refine(micro_recognizer.visual, memory, spelled)
    for place, seen_by in ((1, [0, 2, 3, 4]), (4, [])):
        changed = spelled.clone()
        changed[0, place] = torch.eye(95)[20]
        after = micro_recognizer._refine(micro_recognizer.visual, memory, changed)
        differs = (refined - after).abs().amax(dim=-1)[0] > 1e-6
        assert differs.nonzero().flatten().tolist() == seen_by


def test_the_cross_branch_reads_the_text_that_the_visual_branch_read(
    micro_recognizer: Recognizer, crops: torch.Tensor
) -> None:
    features = micro_recognizer.features(crops[:1])
    assert micro_recognizer.cross is not None
    keys = []
    for word in ("Ab-9", "aB9", "xyz"):
        spelled = torch.eye(95)[torch.tensor([*micro_recognizer.charset.encode(word), END])][None]
        keys.append(micro_recognizer.cross.memory(features, micro_recognizer._texts_of(spelled))[0])
    assert torch.equal(keys[0], keys[1])  # folded to the 36 characters
    assert not torch.allclose(keys[0], keys[2])
    assert keys[0].shape[2] == features.shape[1] + 28


@pytest.mark.slow
def test_a_small_recognizer_learns_its_words_by_heart(
    micro_recognizer_config: RecognizerConfig, crops: torch.Tensor
) -> None:
    torch.manual_seed(0)
    recognizer = build_recognizer(dataclasses.replace(micro_recognizer_config, dropout=0.0)).train()
    optimizer = torch.optim.AdamW(recognizer.parameters(), 3e-3)
    words = ["one", "Two2", "(3)", "a"]
    for _ in range(120):
        logits = recognizer.teach(recognizer.features(crops), words, 4, random())
        flat = logits.targets.flatten()
        losses = [
            torch.nn.functional.cross_entropy(branch.flatten(0, 2), flat)
            for branch in logits.branches.values()
        ]
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()
        optimizer.step()
    with torch.inference_mode():
        tables = recognizer.eval().read(recognizer.features(crops))
    classes = tables.argmax(dim=-1).tolist()
    read = [recognizer.charset.decode(row[: row.index(END) if END in row else None]) for row in classes]
    assert read == words
