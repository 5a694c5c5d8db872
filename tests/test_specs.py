"""The rules of each model, against the vendor's pages."""

import attrs
import pytest

from nanobanana_async._specs import DEFAULT_MODEL, MODELS, ModelSpec

RATIOS = ["auto", "1:1", "1:4", "4:1", "1:8", "8:1", "3:2", "2:3", "3:4", "4:3", "4:5", "5:4"]
RATIOS += ["9:16", "16:9", "21:9"]


def test_nano_banana_2_is_what_a_client_uses_unless_told_otherwise() -> None:
    assert DEFAULT_MODEL == "nano-banana-2"
    assert set(MODELS) == {"nano-banana-2", "nano-banana"}


@pytest.mark.parametrize(
    ("name", "characters", "references", "resolutions"),
    [("nano-banana-2", 20_000, 14, ("1K", "2K", "4K")), ("nano-banana", 5_000, 5, ())],
)
def test_a_model_takes_what_its_page_says(
    name: str, characters: int, references: int, resolutions: tuple[str, ...]
) -> None:
    spec = MODELS[name]
    assert spec.name == name
    assert spec.prompt_limit == characters
    assert spec.reference_limit == references
    assert spec.resolutions == resolutions


@pytest.mark.parametrize("spec", MODELS.values(), ids=MODELS)
def test_both_models_share_ratios_formats_and_providers(spec: ModelSpec) -> None:
    assert sorted(spec.aspect_ratios) == sorted(RATIOS)
    assert set(spec.output_formats) == {"png", "jpeg"}
    assert set(spec.providers) == {"auto", "value", "official"}


@pytest.mark.parametrize("spec", MODELS.values(), ids=MODELS)
def test_the_first_of_each_is_the_default(spec: ModelSpec) -> None:
    assert spec.aspect_ratios[0] == "auto"
    assert spec.output_formats[0] == "png"
    assert spec.providers[0] == "auto"
    assert spec.resolutions[:1] in (("1K",), ())


def test_rules_cannot_be_changed_by_accident() -> None:
    with pytest.raises(TypeError):
        MODELS["nano-banana-3"] = MODELS[DEFAULT_MODEL]  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        MODELS[DEFAULT_MODEL].prompt_limit = 1  # type: ignore[misc]
