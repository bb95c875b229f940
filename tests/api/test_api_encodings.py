"""Every coding is undone exactly, in small pieces, and never half of it silently."""

import gzip
import random
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from logstream.api.encodings import PIECE_BYTES, codings_of, unpacker_of
from logstream.core.errors import BadRequest, UnknownEncoding

TEXT = b"".join(
    b'{"message":"line %d of %d"}\n' % (n, n * n % 1013) for n in range(9000)
)


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _zstd_chunked(data: bytes) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    half = len(data) // 2
    return packer.compress(data[:half]) + packer.compress(data[half:]) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", _raw_deflate),
    "zstd": ("zstd", zstandard.ZstdCompressor().compress),
    "zstd of unknown size": ("zstd", _zstd_chunked),
    "br": ("br", brotli.compress),
}
every_packer = pytest.mark.parametrize(
    ("coding", "pack"), PACKERS.values(), ids=PACKERS.keys()
)


def unpack(codings: tuple[str, ...], packed: bytes, *, cut: int = 0) -> bytes:
    unpacker = unpacker_of(codings)
    step = cut or len(packed) or 1
    parts = [
        piece
        for at in range(0, len(packed), step)
        for piece in unpacker.feed(packed[at : at + step])
    ]
    return b"".join([*parts, unpacker.finish()])


@every_packer
@pytest.mark.parametrize("cut", [0, 1, 7, 1000])
def test_a_body_comes_back_however_it_is_cut(
    coding: str, pack: Callable[[bytes], bytes], cut: int
) -> None:
    assert unpack((coding,), pack(TEXT), cut=cut) == TEXT


@every_packer
def test_nothing_packed_is_nothing(coding: str, pack: Callable[[bytes], bytes]) -> None:
    assert unpack((coding,), pack(b"")) == b""


@every_packer
@pytest.mark.parametrize("missing", [1, 5, 100])
def test_a_body_that_is_cut_off_is_refused(
    coding: str, pack: Callable[[bytes], bytes], missing: int
) -> None:
    with pytest.raises(BadRequest, match=r"cut off|not valid"):
        unpack((coding,), pack(TEXT)[:-missing])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "br"])
def test_an_empty_body_is_cut_off(coding: str) -> None:
    """Even nothing has a header when it is packed."""
    with pytest.raises(BadRequest, match="cut off"):
        unpack((coding,), b"")


@pytest.mark.parametrize("coding", ["gzip", "zstd", "br"])
def test_a_body_that_is_not_packed_is_refused(coding: str) -> None:
    with pytest.raises(BadRequest, match=rf"not valid {coding}"):
        unpack((coding,), TEXT)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "br"])
def test_noise_is_refused_or_cut_off(coding: str) -> None:
    noise = random.Random(7)
    for _ in range(50):
        with pytest.raises(BadRequest):
            unpack((coding,), noise.randbytes(200) * 3)


@every_packer
def test_a_bomb_unpacks_a_piece_at_a_time(
    coding: str, pack: Callable[[bytes], bytes]
) -> None:
    bomb = pack(bytes(40 * PIECE_BYTES))
    pieces = unpacker_of((coding,)).feed(bomb)
    sizes = [len(next(pieces)) for _ in range(10)]
    assert max(sizes) <= 2 * PIECE_BYTES


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("zstd", zstandard.ZstdCompressor().compress)],
)
@pytest.mark.parametrize("cut", [0, 3])
def test_bodies_may_be_packed_in_parts(
    coding: str, pack: Callable[[bytes], bytes], cut: int
) -> None:
    """Members of gzip and frames of zstd, one after another, are one body."""
    packed = pack(TEXT[:1000]) + pack(b"") + pack(TEXT[1000:])
    assert unpack((coding,), packed, cut=cut) == TEXT


def test_gzip_may_be_padded_with_zeros() -> None:
    assert unpack(("gzip",), gzip.compress(TEXT) + bytes(512)) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "br"])
def test_more_after_the_end_is_refused(coding: str) -> None:
    pack = next(pack for name, pack in PACKERS.values() if name == coding)
    with pytest.raises(BadRequest):
        unpack((coding,), pack(TEXT) + b"more of something")


def test_codings_are_undone_from_the_outside_in() -> None:
    packed = zstandard.ZstdCompressor().compress(gzip.compress(TEXT))
    assert unpack(("gzip", "zstd"), packed, cut=100) == TEXT


def test_a_bomb_in_a_bomb_unpacks_a_piece_at_a_time() -> None:
    inner = gzip.compress(bytes(100 * PIECE_BYTES))
    pieces = unpacker_of(("gzip", "zstd")).feed(
        zstandard.ZstdCompressor().compress(inner)
    )
    assert max(len(next(pieces)) for _ in range(20)) <= 2 * PIECE_BYTES


def test_a_window_that_http_does_not_allow_is_refused() -> None:
    """A frame may not make the server reserve more than 8 MiB (RFC 9659)."""
    params = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    packer = zstandard.ZstdCompressor(compression_params=params).compressobj()
    with pytest.raises(BadRequest, match="not valid zstd"):
        unpack(("zstd",), packer.compress(TEXT) + packer.flush())


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        ("", ()),
        ("identity", ()),
        ("gzip", ("gzip",)),
        ("GZIP , identity", ("gzip",)),
        ("x-gzip", ("gzip",)),
        ("deflate,br", ("deflate", "br")),
    ],
)
def test_the_header_names_codings(header: str, codings: tuple[str, ...]) -> None:
    assert codings_of(header) == codings


@pytest.mark.parametrize("header", ["compress", "gzip, lzma", "gzip, gzip, gzip"])
def test_an_unknown_coding_or_a_third_is_refused(header: str) -> None:
    with pytest.raises(UnknownEncoding):
        codings_of(header)
