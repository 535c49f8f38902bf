"""Texts to tokenize: lines of fortunes in many languages, and random ones of all of Unicode."""

import functools
import pathlib
import random
import unicodedata

FORTUNES = pathlib.Path("/usr/share/games/fortunes")

# What tokenizers tend to get wrong. Written for this test.
AWKWARD = [
    "", " ", "  ", "\n", "\n\n", "\t", "\r\n", " \n ", "\u00a0", "\u3000", "\u200b", "\ufeff", "\0", "\x7f", "\x85", "a\0b",
    "can't won't I'll I'LL you've they're I'm he'd it's IT'S 'S 'ſ 'Ll", "''s ''", "x's", "3's",
    "  two  spaces  inside  and behind  ", "trailing space ", " leading", "tab\tand\nline\r\nends\n\n\n", "\n \n  \n",
    "1234567890 12 345 6,789.01 1e-5 ½ ² ³ ¹ Ⅷ ⅷ ① ٣٤٥ ৩৪ 四五", "x1y22z333", "int main(void) { return 0; } // code",
    "snake_case CamelCase kebab-case", "https://example.org/a?b=c&d=%20#e", "a@b.example", "#!/bin/sh", "...!!??,,;;", "—–‐-",
    "Ünïcödé naïve façade Ærøskøbing ŁÓDŹ İstanbul ıI ẞß ǅ ﬁ ﬀ", "e\u0301 é E\u0301 É a\u0323\u0302 a\u0302\u0323 ậ", "Å Å A\u030a Ω Ω",
    "ΣΊΣΥΦΟΣ σίσυφος", "Привет, мир! ёлка Ё", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "你好，世界！", "こんにちは世界", "カタカナ ｶﾀｶﾅ",
    "안녕하세요", "각 각 \u1100\u1161\u11a8", "😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ❤️ ☎︎ 1️⃣", "𝒜𝓁𝑔𝑒𝒷𝓇𝒶 𠀀𠀁 𪜀 豈 𝟘𝟙", "\u202eright to left\u202c", "\u0300\u0301\u0302",
    "z̸̡̢a̷̛l̵̨g̶o̸", "\ufffd \ufffe \uffff \U0010ffff \ue000", "[CLS] [SEP] [MASK] [UNK] [PAD]", "<s></s><|endoftext|><|im_start|>user<|im_end|>",
    "antidisestablishmentarianism" * 5, "a" * 300, "ab" * 400, "!" * 250, " " * 120, "\n" * 90, "9" * 130, "é" * 150, "😀" * 70, "世" * 130,
    "do not do n't 'm . , ? ! ' x", "I do not know .", "## ##a a##b", "Ġ Ċ ĉ Ā ġ hello", "▁ ▁a <0x0A> <0xE4>", "A$B+C=D<E>F^G`H|I~J",
]


def fortune_texts():
    """The fortunes, each a text; those that are UTF-8."""
    texts = []
    for file in sorted(FORTUNES.rglob("*")):
        if file.is_file() and not file.is_symlink() and file.suffix not in (".dat", ".u8"):
            try:
                texts += file.read_text(encoding="utf-8").split("\n%\n")
            except UnicodeDecodeError:
                continue
    return texts


def fortune_lines():
    """Some 40,000 of their lines, of all languages, and a thousand whole fortunes."""
    texts = fortune_texts()
    lines = [line for text in texts for line in text.split("\n") if line]
    return lines[::len(lines) // 40000 + 1] + texts[::len(texts) // 1000 + 1]


@functools.cache
def assigned_characters():
    """Characters that all Unicode tables at hand have, and that no text lacks."""
    return [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]


def random_texts(count, seed, pieces):
    """Texts of random characters and of `pieces`. Left out are the characters that young tables assign and old ones do not."""
    rng = random.Random(seed)
    everything = assigned_characters()
    common = [chr(code) for code in (*range(0x20, 0x7f), *range(0xa0, 0x250))]
    blocks = [[c for c in everything if begin <= ord(c) <= end] for begin, end in (
        (0x370, 0x5ff), (0x600, 0x7ff), (0x900, 0xdff), (0xe00, 0x10ff), (0x1100, 0x11ff), (0x2000, 0x206f), (0x2070, 0x2bff),
        (0x3000, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xf900, 0xffff), (0x10000, 0x1ffff), (0x20000, 0x323af))]
    marks = [c for c in everything if unicodedata.category(c).startswith("M")]
    spaces = [*" \t\n\r\x0b\x0c\x1c\x85\u00a0\u1680\u2003\u2028\u3000\u200b\u200d\ufe0f"]
    controls = [chr(code) for code in (*range(0x20), *range(0x7f, 0xa0), 0xad, 0x200b, 0x200e, 0x2066, 0xfeff, 0xfffd)]
    unassigned = [chr(code) for code in (0xfdd0, 0xfffe, 0xffff, 0x40000, 0x5abcd, 0xdfffe, 0xe000, 0xf8ff, 0xf0000, 0x10fffd)]
    sources = [common, common, everything, marks, spaces, spaces, controls, unassigned, pieces, pieces, *blocks]
    texts = []
    for _ in range(count):
        chosen = rng.sample(sources, rng.randint(1, 4))
        texts.append("".join(rng.choice(rng.choice(chosen)) * rng.choice((1, 1, 1, 1, 2, 3, rng.randint(1, 40)))
                             for _ in range(rng.randint(1, 25))))
    return texts
