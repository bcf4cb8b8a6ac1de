"""Names of clips from any file that lists them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tvface.episodes import EpisodeError, names
from tvface.episodes.names import clips_named_in

CLIPS = ["castle_s01e01_seg02_clip_03", "friends_s06e24-25_seg02_clip_40", "s01e01_seg01_clip_00"]


def test_question_files_subtitles_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_PIECE", 50)  # names lie across the pieces
    lines = [json.dumps({"q": "Who met_s1 whom?", "vid_name": clip, "ts": "1-2"}) for clip in CLIPS]
    (tmp_path / "tvqa_val.jsonl").write_text("\n".join(lines * 3))
    (tmp_path / "frm_cnt_cache.json").write_text(json.dumps(dict.fromkeys(CLIPS, 240)))
    (tmp_path / "list.txt").write_text("\n".join(f"frames_hq/x_frames/{clip}/" for clip in CLIPS))
    for name in ("tvqa_val.jsonl", "frm_cnt_cache.json", "list.txt"):
        assert clips_named_in([tmp_path / name]) == CLIPS
    with tarfile.open(tmp_path / "tvqa_subtitles.tar.gz", "w:gz") as tar:
        for clip in CLIPS:
            tar.addfile(tarfile.TarInfo(f"tvqa_subtitles/{clip}.srt"), io.BytesIO())
    (tmp_path / "unpacked").mkdir()
    for clip in CLIPS[:2]:
        (tmp_path / "unpacked" / f"{clip}.srt").touch()
    assert clips_named_in([tmp_path / "tvqa_subtitles.tar.gz"]) == CLIPS
    assert clips_named_in([tmp_path / "unpacked", tmp_path / "list.txt"]) == CLIPS


def test_what_only_looks_like_a_clip_is_none(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"xs01e01_seg01_clip_00 Castle_s01e01_seg01_clip_00x {CLIPS[0]}_old s01e01_seg01_clip_ {CLIPS[1]}")
    assert clips_named_in([path]) == [CLIPS[1]]


def test_files_without_clips(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("nothing")
    with pytest.raises(EpisodeError, match=r"list\.txt: names no TVQA clip"):
        clips_named_in([path])
    with pytest.raises(EpisodeError, match="does not exist"):
        clips_named_in([tmp_path / "gone"])
    with tarfile.open(tmp_path / "whole.tar.gz", "w:gz") as tar:
        for clip in CLIPS * 400:
            tar.addfile(tarfile.TarInfo(f"{clip}.srt"), io.BytesIO())
    whole = (tmp_path / "whole.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EpisodeError, match=r"cannot be read .* download it again"):
        clips_named_in([tmp_path / "cut.tar.gz"])
