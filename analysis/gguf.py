"""Reads GGUF files (versions 2 and 3, little-endian): the metadata, and tensors as numpy float32. Needs numpy only.

    model = Gguf("model.gguf")
    model.metadata["general.architecture"]
    model.tensors["token_embd.weight"].values()     # [rows, columns], dequantised

A block of a quantised tensor holds neighbours of one row: 32 (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0) or 256 (Q4_K, Q5_K, Q6_K). The
layouts are those of llama.cpp's ggml-common.h; sums and products are in float32 and in its order.
"""

import dataclasses
import math
import os
import struct

import numpy

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
MOST_NESTED, MOST_DIMENSIONS = 4, 4
TYPE_NAMES = dict(enumerate("F32 F16 Q4_0 Q4_1 Q4_2 Q4_3 Q5_0 Q5_1 Q8_0 Q8_1 Q2_K Q3_K Q4_K Q5_K Q6_K Q8_K IQ2_XXS IQ2_XS IQ3_XXS "
                            "IQ1_S IQ4_NL IQ3_S IQ2_S IQ4_XS I8 I16 I32 I64 F64 IQ1_M BF16".split()))
TYPE_NAMES |= {34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4"}


class UnreadableModel(Exception):
    """A model cannot be read; the message says why and what is accepted."""


def halves(block, first):
    """The float16 at a byte of each block as float32, [blocks, 1]."""
    return block[:, first:first + 2].copy().view("<f2").astype(numpy.float32)


def nibbles(packed):
    """[blocks, groups, n] bytes -> [blocks, groups, 2 n]: the low halves of a group, then the high ones."""
    return numpy.concatenate([packed & 15, packed >> 4], axis=-1)


def fifth_bits(block, first):
    """The 32 bits from a byte of each block on, lowest first, as 0 or 16: [blocks, 32]."""
    return numpy.unpackbits(block[:, first:first + 4], axis=1, bitorder="little") << 4


def from_f32(block):
    return block.copy().view("<f4")


def from_f16(block):
    return block.copy().view("<f2").astype(numpy.float32)


def from_bf16(block):
    return (block.copy().view("<u2").astype(numpy.uint32) << 16).view(numpy.float32)


def from_q4_0(block):
    return halves(block, 0) * (nibbles(block[:, 2:]).astype(numpy.float32) - 8)


def from_q4_1(block):
    return halves(block, 0) * nibbles(block[:, 4:]) + halves(block, 2)


def from_q5_0(block):
    return halves(block, 0) * ((nibbles(block[:, 6:]) | fifth_bits(block, 2)).astype(numpy.float32) - 16)


def from_q5_1(block):
    return halves(block, 0) * (nibbles(block[:, 8:]) | fifth_bits(block, 4)) + halves(block, 2)


def from_q8_0(block):
    return halves(block, 0) * block[:, 2:].view(numpy.int8)


def scales_and_minima(block):
    """Of Q4_K and Q5_K: 8 pairs of 6 bits in 12 bytes from byte 4 on, times those of the block; [blocks, 8, 1] each."""
    low, middle, high = (block[:, first:first + 4] for first in (4, 8, 12))
    scales = numpy.concatenate([low & 63, (high & 15) | (low >> 6 << 4)], axis=1)
    minima = numpy.concatenate([middle & 63, (high >> 4) | (middle >> 6 << 4)], axis=1)
    return (halves(block, 0) * scales)[..., None], (halves(block, 2) * minima)[..., None]


def from_q4_k(block):
    scales, minima = scales_and_minima(block)
    levels = nibbles(block[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    return (scales * levels - minima).reshape(-1, 256)


def from_q5_k(block):
    scales, minima = scales_and_minima(block)
    levels = nibbles(block[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    fifth = block[:, None, 16:48] >> numpy.arange(8, dtype=numpy.uint8)[:, None] & 1
    return (scales * (levels | fifth << 4) - minima).reshape(-1, 256)


def from_q6_k(block):
    low, high = block[:, :128].reshape(-1, 2, 64), block[:, 128:192].reshape(-1, 2, 1, 32)
    upper = high >> numpy.array([0, 2, 4, 6], dtype=numpy.uint8)[:, None] & 3
    levels = nibbles(low).reshape(-1, 16, 16) | (upper << 4).reshape(-1, 16, 16)
    scales = halves(block, 208) * block[:, 192:208].view(numpy.int8)
    return (scales[..., None] * (levels.astype(numpy.float32) - 32)).reshape(-1, 256)


# type of a tensor -> values in a block, its bytes, what makes [blocks, bytes] the values [blocks, values] in float32
DECODERS = {"F32": (1, 4, from_f32), "F16": (1, 2, from_f16), "BF16": (1, 2, from_bf16),
            "Q4_0": (32, 18, from_q4_0), "Q4_1": (32, 20, from_q4_1), "Q5_0": (32, 22, from_q5_0),
            "Q5_1": (32, 24, from_q5_1), "Q8_0": (32, 34, from_q8_0),
            "Q4_K": (256, 144, from_q4_k), "Q5_K": (256, 176, from_q5_k), "Q6_K": (256, 210, from_q6_k)}


@dataclasses.dataclass
class Tensor:
    """A tensor of a GGUF file; its bytes stay in the file until they are asked for."""
    shape: tuple  # slowest dimension first, as numpy has it
    type: str
    raw: numpy.ndarray

    def values(self):
        """float32, of the tensor's shape."""
        _, size, decode = DECODERS[self.type]
        return decode(numpy.asarray(self.raw).reshape(-1, size)).reshape(self.shape)


class Gguf:
    """`metadata` is a dict of numbers, strings and lists; `tensors` is one of Tensor by name. Raises UnreadableModel."""

    def __init__(self, path):
        self.path = path
        try:
            self.size = os.path.getsize(path)
            with open(path, "rb") as file:
                magic = file.read(4)
            if magic != b"GGUF":
                raise UnreadableModel(f"'{path}': is not a GGUF file (it does not begin with GGUF)")
            self.bytes = numpy.memmap(path, dtype=numpy.uint8, mode="r")
        except OSError as failure:
            raise UnreadableModel(f"'{path}': cannot be read: {failure.strerror or failure}") from None
        self.place = 4
        version = self.scalar("<I")
        if version not in (2, 3):
            raise UnreadableModel(f"'{path}': is GGUF of version {version}; versions 2 and 3, little-endian, are read")
        tensors, keys = self.scalar("<Q"), self.scalar("<Q")
        self.metadata = {}
        for _ in range(keys):
            name = self.string()
            self.metadata[name] = self.value(self.scalar("<I"))
        self.tensors = self.read_tensors(tensors)

    def take(self, size):
        """The place of the next `size` bytes, which are gone past."""
        if size > self.size - self.place:
            raise UnreadableModel(f"'{self.path}': is truncated: it has {self.size} bytes and needs {self.place + size} or more")
        self.place += size
        return self.place - size

    def scalar(self, form):
        return struct.unpack_from(form, self.bytes, self.take(struct.calcsize(form)))[0]

    def string(self):
        size = self.scalar("<Q")
        first = self.take(size)
        try:
            return self.bytes[first:first + size].tobytes().decode("utf-8")
        except UnicodeDecodeError:
            raise UnreadableModel(f"'{self.path}': the text at byte {first} is not UTF-8") from None

    def value(self, kind, depth=0):
        if kind == STRING:
            return self.string()
        if kind == ARRAY and depth < MOST_NESTED:
            kind, count = self.scalar("<I"), self.scalar("<Q")
            if kind in SCALARS:
                first = self.take(count * struct.calcsize(SCALARS[kind]))
                return list(struct.unpack_from(f"<{count}{SCALARS[kind][1]}", self.bytes, first))
            return [self.value(kind, depth + 1) for _ in range(count)]
        if kind in SCALARS:
            return self.scalar(SCALARS[kind])
        raise UnreadableModel(f"'{self.path}': has a value of the unknown kind {kind} before byte {self.place}")

    def read_tensors(self, count):
        entries = {}
        for _ in range(count):
            name = self.string()
            dimensions = self.scalar("<I")
            if dimensions > MOST_DIMENSIONS:
                raise UnreadableModel(f"'{self.path}': tensor {name} has {dimensions} dimensions; at most {MOST_DIMENSIONS} are read")
            shape = tuple(self.scalar("<Q") for _ in range(dimensions))[::-1]
            if name in entries:
                raise UnreadableModel(f"'{self.path}': has two tensors {name}")
            entries[name] = shape, self.scalar("<I"), self.scalar("<Q")
        alignment = self.metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1:
            raise UnreadableModel(f"'{self.path}': general.alignment is {alignment!r}; it has to be a positive whole number")
        start = -(-self.place // alignment) * alignment
        return {name: self.tensor(name, *entry, start) for name, entry in entries.items()}

    def tensor(self, name, shape, number, offset, start):
        kind = TYPE_NAMES.get(number, f"number {number}")
        if kind not in DECODERS:
            raise UnreadableModel(f"'{self.path}': tensor {name} is quantised as {kind}; read are {', '.join(DECODERS)}")
        values, size, _ = DECODERS[kind]
        if (shape[-1] if shape else 1) % values:
            raise UnreadableModel(f"'{self.path}': tensor {name} has rows of {shape[-1]} values; {kind} has blocks of {values}")
        self.place = start + offset
        size *= math.prod(shape) // values
        first = self.take(size)
        return Tensor(shape, kind, self.bytes[first:first + size])
