"""Image references in one normal form."""

from __future__ import annotations

import pytest

from iotistic.model.errors import InvalidField
from iotistic.model.image import parse_image

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("team/web:1.4", "docker.io/team/web:1.4", "team/web:1.4"),
        ("docker.io/nginx:1", "docker.io/library/nginx:1", "nginx:1"),
        ("index.docker.io/library/nginx:1", "docker.io/library/nginx:1", "nginx:1"),
        ("localhost:5000/web", "localhost:5000/web:latest", "localhost:5000/web:latest"),
        ("reg.example/a/b:x", "reg.example/a/b:x", "reg.example/a/b:x"),
        (f"web:1@{DIGEST}", f"docker.io/library/web@{DIGEST}", f"web@{DIGEST}"),
    ],
)
def test_a_reference_has_one_form(text: str, canonical: str, familiar: str) -> None:
    image = parse_image(text, at="image")
    assert (image.canonical, image.familiar) == (canonical, familiar)
    assert parse_image(canonical, at="image") == parse_image(familiar, at="image")


@pytest.mark.parametrize(
    "text", ["", "UPPER", "a b", "web:", "web@sha256:12", "-x", "a//b", 7, None]
)
def test_what_docker_would_not_take_is_refused(text: object) -> None:
    with pytest.raises(InvalidField, match="image: expected an image reference"):
        parse_image(text, at="image")
