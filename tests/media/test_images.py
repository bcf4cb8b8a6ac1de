"""Pictures: coding, broken bytes, the crop's frame of reference."""

import numpy as np
import pytest

from tvface.media import images


@pytest.fixture
def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.kron(rng.integers(0, 256, (6, 9, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def test_png_keeps_every_value_and_channel_order(picture: np.ndarray) -> None:
    assert np.array_equal(images.decode(images.encode_png(picture)), picture)
    labels = (np.arange(48 * 72).reshape(48, 72) % 19).astype(np.uint8)
    assert np.array_equal(images.decode_labels(images.encode_png(labels)), labels)


def test_jpeg_is_close_and_red_stays_red() -> None:
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    back = images.decode(images.encode_jpeg(red)).astype(int)
    assert np.abs(back - red).max() <= 4


def test_broken_bytes_are_errors_with_a_place(tmp_path, picture: np.ndarray) -> None:
    whole = images.encode_jpeg(picture)
    for data in (b"", b"not a picture at all", whole[: len(whole) // 2]):
        with pytest.raises(images.MediaError):
            images.decode(data)
    path = tmp_path / "00007.jpg"
    path.write_bytes(whole[:300])
    with pytest.raises(images.MediaError, match=r"00007\.jpg at byte 0"):
        images.read_image(path)
    with pytest.raises(images.MediaError, match="float64"):
        images.encode_png(picture.astype(float))


def test_a_member_is_read_by_offset(tmp_path, picture: np.ndarray) -> None:
    data = images.encode_png(picture)
    (tmp_path / "store").write_bytes(b"x" * 100 + data + b"tail")
    assert np.array_equal(images.read_image(tmp_path / "store", 100, len(data)), picture)


def test_warp_maps_pixel_centres_and_pads_with_black() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[7, 11] = 255
    crop = images.warp_crop(picture, np.array([[1, 0, -8], [0, 1, -2]]), 10)
    assert crop[5, 3].tolist() == [255] * 3 and int(crop.astype(int).sum()) == 3 * 255
    assert not images.warp_crop(np.full((5, 5, 3), 9, np.uint8), np.array([[1, 0, 50], [0, 1, 50]]), 10).any()


def test_shrinking_crops_does_not_alias() -> None:
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    crop = images.warp_crop(stripes, np.array([[0.25, 0, -0.375], [0, 0.25, -0.375]]), 32)
    assert np.abs(crop[4:-4, 4:-4].astype(int) - 127).max() < 12


def test_shrink_keeps_the_aspect_and_never_enlarges(picture: np.ndarray) -> None:
    assert images.shrink(picture, 36).shape == (24, 36, 3)
    assert images.shrink(picture, 500) is picture and images.shrink(picture, 0) is picture
