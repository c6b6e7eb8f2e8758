"""The scan that keeps secrets out of the repository finds them, and little else."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.scan_secrets import MARKER, findings, main

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "line",
    [
        "-----BEGIN " + "RSA PRIVATE KEY-----",
        "-----BEGIN " + "PRIVATE KEY-----",
        "api_key" + f' = "{HEX}"',
        '"deviceApiKey"' + f': "{HEX}"',
        "password" + f" = '{'aB3/' * 12}='",
        "id = " + "AKIA" + "ABCDEFGHIJKLMNOP",
        "gh" + "p_" + "a1" * 18,
        "url = https://" + "admin:correct-horse@example.org/",
    ],
)
def test_what_looks_like_a_secret_is_found(line: str) -> None:
    assert [number for number, _ in findings(["first", line])] == [2]


@pytest.mark.parametrize(
    "line",
    [
        f'digest = "{HEX}"',
        "    --hash=sha256:" + HEX,
        'api_key = os.environ["API_KEY"]',
        'password = "short"',
        "-----BEGIN PUBLIC KEY-----",
        "https://api.example.org/health",
    ],
)
def test_what_only_resembles_one_is_left_alone(line: str) -> None:
    assert list(findings([line])) == []


def test_a_test_vector_may_say_that_it_is_none() -> None:
    vector = "token" + f' = "{HEX}"'

    assert list(findings([f"{vector}  # {MARKER} from a standard's examples"])) == []
    assert list(findings([f"# {MARKER} from a standard's examples", vector])) == []


def test_the_scan_names_the_line_but_not_the_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planted = tmp_path / "settings.py"
    planted.write_text("first = 1\n" + "api_key" + f' = "{HEX}"\n')

    code = main([str(planted)])

    said = capsys.readouterr().out
    assert code == 1
    assert f"{planted}:2: looks like" in said
    assert HEX not in said


def test_the_repository_holds_no_secret() -> None:
    assert main([]) == 0
