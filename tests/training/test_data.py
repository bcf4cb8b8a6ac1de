"""Windows, sampling, coordinates."""

import dataclasses

import numpy as np
import pytest
import torch

from tvface.conventions.pixels import normalise, to_pixels
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.model.clips import CPU, Clip, DataError, load_clips, resize_flow, stack, starts_of
from tvface.model.window_transforms import mirror, move
from tvface.training.sampler import Sampler, fixed_windows


def clip(name: str = "c", frames: int = 6, crossing: tuple[int, ...] = ()) -> Clip:
    """Frame t has the colour t, its landmarks t / 10, its flow t + 1 (backward) and -t - 1 (forward)."""
    t = np.arange(frames)
    flow = np.stack([t[:-1] + 1, -t[:-1] - 1])[:, :, None, None, None]
    return Clip(
        name,
        np.broadcast_to(t[:, None, None, None], (frames, 8, 8, 3)).astype(np.uint8),
        np.full((frames, 8, 8), 255, np.uint8),
        np.broadcast_to(t[:, None, None] / 10, (frames, 68, 2)).astype(np.float32),
        np.broadcast_to(flow, (2, frames - 1, 2, 4, 4)).astype(np.float16),
        np.isin(t, crossing),
        8,
    )


def test_a_window_keeps_frames_points_and_flow_together():
    window = stack([clip(), clip()], [1, 3], 3).window(CPU)
    assert window.images.shape == (2, 3, 3, 8, 8) and window.masks.shape == (2, 3, 1, 8, 8)
    np.testing.assert_allclose(window.images[:, :, 0, 0, 0] * 255, [[1, 2, 3], [3, 4, 5]], atol=1e-4)
    np.testing.assert_allclose(window.landmarks[:, :, 0, 0], [[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]], atol=1e-6)
    # The flow of pair i, i + 1 stands at i.
    np.testing.assert_allclose(window.flows_backward[:, :, 0, 0, 0], [[2, 3], [4, 5]])
    np.testing.assert_allclose(window.flows_forward[:, :, 0, 0, 0], [[-2, -3], [-4, -5]])
    assert window.names == ("c[1]", "c[3]")


def test_windows_avoid_shot_boundaries_where_they_can():
    assert starts_of(clip(crossing=(3,)), 3) == [0, 3]
    assert starts_of(clip(crossing=(3,)), 4) == [0, 1, 2], "no window is whole: all are allowed"
    assert starts_of(clip(crossing=(0,)), 6) == [0], "a boundary before the first frame cuts nothing"


def test_a_sequence_shorter_than_the_window_is_refused():
    with pytest.raises(DataError, match=r"has 2 frames, fewer than train\.frames 3"):
        starts_of(clip(frames=2), 3)


def test_an_epoch_sees_every_sequence_once_in_another_order_each_time():
    clips = [clip(f"c{i}") for i in range(7)]
    sampler = Sampler(clips, batch=2, frames=3, seed=5)
    names = [n.split("[")[0] for step in range(7) for n in sampler.window(step).names]
    assert sorted(names[:7]) == sorted(names[7:]) == [f"c{i}" for i in range(7)]
    assert names[:7] != names[7:]
    assert sampler.steps(2) == 7 and sampler.steps(1) == 4
    again = [n for step in range(7) for n in Sampler(clips, 2, 3, 5).window(step).names]
    assert again == [n for step in range(7) for n in sampler.window(step).names]
    assert again != [n for step in range(7) for n in Sampler(clips, 2, 3, 6).window(step).names]


def test_two_processes_see_what_one_sees_with_a_doubled_batch():
    clips = [clip(f"c{i}") for i in range(5)]
    one = Sampler(clips, 4, 3, 0)
    two = [Sampler(clips, 2, 3, 0, rank, 2) for rank in range(2)]
    for step in range(4):
        assert one.window(step).names == two[0].window(step).names + two[1].window(step).names


def test_validation_windows_cover_every_sequence():
    names = [n for w in fixed_windows([clip(f"c{i}") for i in range(3)], 3, 2) for n in w.names]
    assert names == ["c0[2]", "c1[2]", "c2[2]"]


def test_flow_scales_with_its_grid():
    flow = np.zeros((2, 1, 2, 32, 32), np.float16)
    flow[:, :, 0] = 4
    flow[:, :, 1] = -2
    small = resize_flow(flow, 16)
    assert small.shape == (2, 1, 2, 16, 16)
    np.testing.assert_allclose(small[:, :, 0], 2, rtol=1e-3)
    np.testing.assert_allclose(small[:, :, 1], -1, rtol=1e-3)


def test_a_stored_sequence_comes_back(project, tiny):
    rows = read(project / "dataset.parquet", DATASET).rows
    clips = load_clips(rows[rows["split"] == "train"], 32, tiny.masks.classes)
    assert len(clips) == 4 and clips[0].images.shape == (5, 32, 32, 3) and clips[0].flow.shape == (2, 4, 2, 16, 16)
    first = rows[(rows["sequence"] == clips[0].name) & (rows["position"] == 2)].iloc[0]
    expected = np.asarray(first["points68"]).reshape(68, 2) / 64 * 2 - 1
    np.testing.assert_allclose(clips[0].landmarks[2], expected, rtol=1e-6)
    # Labels are 1 in 16:48 of 64, so the mask covers 8:24 of 32.
    assert clips[0].masks[0, 8:24, 8:24].min() == 255 and clips[0].masks[0].sum() == 255 * 16 * 16
    # The picture moves 2 px of 64 per frame: 0.5 px of the 16 px grid.
    np.testing.assert_allclose(clips[0].flow[0, 0, 0, 4:-4, 4:-4].mean(), 0.5, atol=0.1)


def test_an_odd_size_is_refused(project, tiny):
    rows = read(project / "dataset.parquet", DATASET).rows
    with pytest.raises(DataError, match="is odd"):
        load_clips(rows, 33, tiny.masks.classes)


def test_an_augmented_window_moves_pixels_points_and_flow_alike():
    size = 32
    still = clip(frames=3)
    images = np.zeros((3, size, size, 3), np.uint8)
    images[:, 20, 9] = 255  # a dot at x = 9, y = 20 ...
    landmarks = np.zeros((3, 68, 2), np.float32)
    landmarks[:] = np.array([9, 20]) / size * 2 - 1  # ... where the landmarks are
    flow = np.ones((2, 2, 2, 16, 16), np.float16)
    dot = Clip("d", images, images[..., 0], landmarks, flow, still.crossing[:3], size)
    window = stack([dot, dot], [0, 0], 3).window(CPU)
    moved = move(window, torch.tensor([1.5, 1.0]), torch.tensor([[0.125, -0.25], [0.0, 0.0]]), dot.centre)
    for b, (x, y) in enumerate([(15.5 + 1.5 * (9 - 15.5) + 4, 15.5 + 1.5 * (20 - 15.5) - 8), (9, 20)]):
        picture = moved.images[b, 1, 0]
        ys, xs = np.mgrid[:size, :size]
        centre = [(picture.numpy() * grid).sum() / picture.numpy().sum() for grid in (xs, ys)]
        np.testing.assert_allclose(centre, [x, y], atol=0.1)
        np.testing.assert_allclose((moved.landmarks[b, 1, 5] + 1) / 2 * size, [x, y], atol=1e-4)
        assert moved.masks[b, 1, 0, round(y), round(x)] > 0.3
    np.testing.assert_allclose(moved.flows_backward[0, 0, :, 8, 8], 1.5, atol=1e-5)
    np.testing.assert_allclose(moved.flows_backward[1], 1, atol=1e-5)


def test_a_mirrored_window_keeps_pixels_points_and_flow_together():
    """The subject's right eye becomes the left one: it lies where its picture lies, and moves where its flow says."""
    size = 32
    images = np.zeros((3, size, size, 3), np.uint8)
    landmarks = np.zeros((3, 68, 2), np.float32)
    for t in range(3):  # a dot that moves right by 2 px a frame, at point 36
        images[t, 20, 8 + 2 * t] = 255
        landmarks[t, 36] = normalise(np.array([8 + 2 * t, 20], np.float32), size)
    flow = np.zeros((2, 2, 2, 16, 16), np.float16)
    flow[0, :, 0, :, :8], flow[1, :, 0, :, :8] = 1, -1  # the left half moves right
    dot = Clip("d", images, images[..., 0], landmarks, flow, np.zeros(3, bool), size)
    window = stack([dot, dot], [0, 0], 3).window(CPU)
    flipped = mirror(window, torch.tensor([True, False]), dot.centre)
    for t in range(3):
        x, y = to_pixels(flipped.landmarks[0, t, 45], size)
        np.testing.assert_allclose([x, y], [31 - 8 - 2 * t, 20], atol=1e-4)
        assert flipped.images[0, t, 0, 20, round(float(x))] == 1 and flipped.masks[0, t, 0, 20, round(float(x))] == 1
    assert (flipped.flows_backward[0, :, 0, :, 8:] == -1).all() and not flipped.flows_backward[0, :, 0, :, :8].any()
    assert (flipped.flows_forward[0, :, 0, :, 8:] == 1).all() and not flipped.flows_backward[:, :, 1].any()
    for name in ("images", "masks", "landmarks", "flows_backward", "flows_forward"):
        assert torch.equal(getattr(flipped, name)[1], getattr(window, name)[1])
        twice = mirror(flipped, torch.tensor([True, False]), dot.centre)
        torch.testing.assert_close(getattr(twice, name), getattr(window, name))


def test_half_of_the_windows_are_mirrored_whatever_the_other_augmentation():
    clips = [clip(f"c{i}") for i in range(4)]
    drawn = [Sampler(clips, 4, 3, 0, augment_flip=True).stored(step).flipped for step in range(50)]
    assert 0.35 < torch.cat(drawn).float().mean() < 0.65
    assert Sampler(clips, 4, 3, 0).stored(0).flipped is None
    moved = Sampler(clips, 4, 3, 0, augment_scale=0.1, augment_flip=True)
    assert torch.equal(moved.stored(7).flipped, drawn[7])
    assert torch.equal(moved.stored(7).scale, Sampler(clips, 4, 3, 0, augment_scale=0.1).stored(7).scale)


def test_augmentation_depends_on_seed_and_step_alone():
    clips = [clip(f"c{i}") for i in range(4)]
    windows = [Sampler(clips, 2, 3, seed, 0, 1, 0.2, 0.1).window(3) for seed in (0, 0, 1)]
    assert np.array_equal(windows[0].landmarks, windows[1].landmarks)
    assert not np.array_equal(windows[0].landmarks, windows[2].landmarks)
    assert not np.array_equal(windows[0].landmarks, Sampler(clips, 2, 3, 0).window(3).landmarks)


def test_a_stored_window_travels_as_bytes_and_becomes_the_same_numbers():
    clips = [clip(f"c{i}") for i in range(4)]
    stored = Sampler(clips, 2, 3, 0, 0, 1, 0.2, 0.1).stored(3)
    assert stored.images.dtype == stored.masks.dtype == torch.uint8 and stored.flow.dtype == torch.float16
    window = stored.window(CPU)
    assert window.images.dtype == window.flows_backward.dtype == torch.float32
    assert torch.equal(window.images, Sampler(clips, 2, 3, 0, 0, 1, 0.2, 0.1).window(3).images)
    plain = Sampler(clips, 2, 3, 0).stored(3)
    assert plain.scale is None and torch.equal(plain.window(CPU).images[0, 0, 0] * 255, plain.images[0, 0, ..., 0])


def test_both_normalisations_of_landmarks(project, tiny):
    """DECA's lies half a pixel off the rasteriser, whose pixel i has its centre at (2 i + 1) / side - 1."""
    points = np.array([[0.0, 31.0]], np.float32)
    np.testing.assert_allclose(normalise(points, 32), [[-1, 31 / 16 - 1]])
    np.testing.assert_allclose(normalise(points, 32, half_pixel=False), [[1 / 32 - 1, 1 - 1 / 32]])
    for half_pixel in (True, False):
        back = to_pixels(torch.from_numpy(normalise(points, 32, half_pixel)), 32, half_pixel)
        np.testing.assert_allclose(back, points, atol=1e-5)
    rows = read(project / "dataset.parquet", DATASET).rows
    rows = rows[rows["split"] == "validation"]
    (theirs,), (ours,) = (load_clips(rows, 32, tiny.masks.classes, half_pixel) for half_pixel in (True, False))
    np.testing.assert_allclose(ours.landmarks - theirs.landmarks, 1 / 64, atol=1e-6)  # crops are stored at 64 px
    # What lies in the middle of the picture stays there, whatever the enlargement.
    for half_pixel in (True, False):
        moving = dataclasses.replace(clip(frames=3), half_pixel=half_pixel)
        window = stack([moving], [0], 3).window(CPU)
        window.landmarks[:] = torch.from_numpy(normalise(np.full((68, 2), 3.5, np.float32), 8, half_pixel))
        moved = move(window, torch.tensor([1.4]), torch.zeros(1, 2), moving.centre)
        np.testing.assert_allclose(to_pixels(moved.landmarks, 8, half_pixel), 3.5, atol=1e-5)


def test_frames_moved_by_themselves_keep_their_flow():
    """A face that stands still seems to move by the difference of the frames' transforms, and the flow says so."""
    size = 64
    pattern = np.random.default_rng(0).uniform(0, 255, (8, 8, 3)).astype(np.float32)
    picture = torch.nn.functional.interpolate(
        torch.from_numpy(pattern).permute(2, 0, 1)[None], (size, size), mode="bicubic"
    )
    images = picture.clamp(0, 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()[None].repeat(2, 0)
    still = np.zeros((2, 1, 2, 32, 32), np.float16)
    moving = Clip("s", images, images[..., 0], np.zeros((2, 68, 2), np.float32), still, np.zeros(2, bool), size)
    window = stack([moving], [0], 2).window(CPU)
    scale, shift = torch.tensor([[1.2, 0.95]]), torch.tensor([[[0.05, 0.0], [-0.04, 0.08]]])
    moved = move(window, scale, shift, moving.centre)
    grid = torch.nn.functional.affine_grid(torch.eye(2, 3)[None], [1, 2, 32, 32], align_corners=False)
    small = torch.nn.functional.avg_pool2d(moved.images[0], 2)
    for this, other, flow in ((0, 1, moved.flows_backward), (1, 0, moved.flows_forward)):
        places = grid + flow[0, 0].permute(1, 2, 0)[None] * 2 / 32
        brought = torch.nn.functional.grid_sample(small[other : other + 1], places, align_corners=False)
        assert (brought[0] - small[this])[:, 6:-6, 6:-6].abs().mean() < 0.01
        assert (small[other] - small[this])[:, 6:-6, 6:-6].abs().mean() > 0.05
    # One transform for all frames makes up no flow.
    assert not move(window, scale[:, 0], shift[:, 0], moving.centre).flows_backward.any()


def test_scale_per_frame_or_per_window():
    clips = [clip(f"c{i}") for i in range(4)]
    one, each = (Sampler(clips, 2, 3, 0, 0, 1, 0.2, 0.1, augment_frames=frames).window(3) for frames in (False, True))
    apart = [window.landmarks[:, 1:] - window.landmarks[:, :-1] for window in (one, each)]
    # The landmarks of the test clips move by 0.1 per frame; a common transform keeps that even.
    torch.testing.assert_close(apart[0][:, 0], apart[0][:, 1], atol=1e-6, rtol=0)
    assert (apart[1][:, 0] - apart[1][:, 1]).abs().max() > 0.01
    assert one.names == each.names
