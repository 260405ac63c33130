"""The table of verdicts: which runs it finds, what it says of them, and what it keeps."""

import json

import pytest

from minidecay.cli import main
from minidecay.lab.machinery import verdicts
from minidecay.lab.machinery.claims import Bound, Claim

CLAIMS = [
    Claim("A1", "it learns", [Bound("accuracy", lambda run: run, ">=", 0.5)]),
    Claim("A2", "and forgets", [Bound("accuracy", lambda run: run, "<=", 0.5)], finding=True),
]
RESULTS = {
    "config": {"experiment": "first", "scale": "demo", "seeds": [0, 1, 2]},
    "environment": {"commit": "0123456789abcdef", "dirty": False, "date": "2026-11-25T15:00:00"},
    "arms": {"decay": {}},
    "claims": [claim.judge({0: 0.6, 1: 0.61, 2: 0.62}) for claim in CLAIMS],
}
TABLE = """\
| experiment | what it asks | hold | fail | undecided |
| --- | --- | --- | --- | --- |
| [first](PICTURE) |  | A1 | A2 |  |

<details><summary>Every claim: margin, mean over seeds [95 % interval], verdict</summary>

**first**, demo scale, seeds 0 to 2, commit `0123456789ab`, 2026-11-25

| | claim | held to: mean [95 % interval] | verdict |
| --- | --- | --- | --- |
| A1 | it learns | accuracy >= 0.5: 0.610 [0.585, 0.635] | holds |
| A2 | *and forgets* | accuracy <= 0.5: 0.610 [0.585, 0.635] | **fails** |

</details>
"""


def write(folder, **changes):
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(RESULTS | changes))
    name = (RESULTS | changes)["config"]["experiment"]
    (folder / f"{name}.png").write_bytes(b"\x89PNG")


def test_the_table_has_a_row_a_claim_under_how_it_was_made(tmp_path, capsys):
    write(tmp_path / "run")
    assert main(["verdicts", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == TABLE.replace("PICTURE", str(tmp_path / "run" / "first.png"))


def test_it_finds_every_run_in_a_folder_of_runs_and_keeps_claims_and_pictures(tmp_path, capsys):
    runs, kept = tmp_path / "runs", tmp_path / "kept"
    write(runs / "first")
    write(runs / "second", config=RESULTS["config"] | {"experiment": "second"})
    assert main(["verdicts", str(runs), "--keep", str(kept)]) == 0
    out = capsys.readouterr().out
    for name in ("first", "second"):
        assert f"| [{name}]({kept / name}.png) |  | A1 | A2 |  |\n" in out
    names = ["first.json", "first.png", "second.json", "second.png"]
    assert sorted(path.name for path in kept.iterdir()) == names
    assert [line for line in out.splitlines() if line.startswith("kept")] == [
        f"kept  {kept / name}" for name in names
    ]
    # What was kept gives the same table.
    assert verdicts.find(kept) == verdicts.find(runs)
    assert "arms" not in json.loads((kept / "first.json").read_text())


def test_code_that_was_edited_is_said_to_be(tmp_path):
    write(tmp_path / "run", environment=RESULTS["environment"] | {"dirty": True})
    assert "commit `0123456789ab`, edited, 2026" in verdicts.markdown(tmp_path)


def refused(capsys, *words):
    """The one line that says why a command was wrong use."""
    with pytest.raises(SystemExit) as ended:
        main(["verdicts", *map(str, words)])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    *usage, line = err.splitlines()
    assert out == "" and all(words.startswith(("usage: ", " ")) for words in usage)
    return line


def test_two_runs_of_one_experiment_are_not_taken_for_one(tmp_path, capsys):
    for name in ("monday", "tuesday"):
        write(tmp_path / name)
    line = refused(capsys, tmp_path)
    assert f"{tmp_path}/monday/results.json and {tmp_path}/tuesday/results.json" in line
    assert "are both of first; name one's folder" in line


def test_a_run_in_a_folder_of_another_name_has_its_picture(tmp_path, capsys):
    write(tmp_path / "first-20261125-150000")
    assert main(["verdicts", str(tmp_path)]) == 0
    assert "[first](" in capsys.readouterr().out


def test_claims_are_not_kept_where_a_file_is_in_the_way(tmp_path, capsys):
    write(tmp_path / "run")
    (tmp_path / "notes").write_text("mine")
    line = refused(capsys, tmp_path / "run", "--keep", tmp_path / "notes")
    assert f"{tmp_path / 'notes'} cannot be used (File exists); choose another folder" in line
    assert (tmp_path / "notes").read_text() == "mine"


def test_nothing_is_made_where_there_is_nothing_to_keep(tmp_path, capsys):
    refused(capsys, tmp_path / "nowhere", "--keep", tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


NO_CLAIMS = json.dumps({"config": {}, "environment": {}, "claims": []})


def test_a_run_that_was_resumed_at_another_commit_names_both(tmp_path):
    write(tmp_path / "run", environment=RESULTS["environment"] | {"begun": "f" * 40})
    assert "commit `ffffffffffff` to `0123456789ab`, 2026" in verdicts.markdown(tmp_path)


@pytest.mark.parametrize("content", [None, "[]", "{}", "{", "7", NO_CLAIMS])
def test_a_folder_without_results_is_refused_in_a_line(tmp_path, capsys, content):
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    assert str(tmp_path) in refused(capsys, tmp_path)
