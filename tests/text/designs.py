"""Tokenizers of the designs that are in use, with what trains them; for tokenizer_test.py and the golden files."""

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, processors, trainers
from tokenizers import pre_tokenizers as pre

LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN_2 = LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT_4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
          r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
          r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
BYTES = pre.ByteLevel.alphabet()


def byte_level(words, normalizer=None, specials=("<|endoftext|>",), vocabulary=4000, **model):
    made = Tokenizer(models.BPE(**model))
    made.pre_tokenizer = words
    if normalizer:
        made.normalizer = normalizer
    made.decoder = decoders.ByteLevel()
    return made, trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(specials), initial_alphabet=BYTES,
                                     show_progress=False)


def after(*steps):
    return pre.Sequence([*steps, pre.ByteLevel(add_prefix_space=False, use_regex=False)])


def split(expression, behaviour="isolated", invert=False):
    return pre.Split(Regex(expression), behaviour, invert)


def gpt_2():
    return byte_level(pre.ByteLevel(add_prefix_space=False))


def roberta():
    specials = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True)]
    made, trainer = byte_level(pre.ByteLevel(add_prefix_space=True), specials=specials)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return made, trainer


def smollm_2():
    return byte_level(pre.Sequence([pre.Digits(True), pre.ByteLevel(add_prefix_space=False)]),
                      specials=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])


def llama_3():
    made, trainer = byte_level(after(split(LLAMA_3)), specials=["<|begin_of_text|>", "<|end_of_text|>"], vocabulary=8000,
                               ignore_merges=True)
    made.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing("<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 0)])])
    return made, trainer


def qwen_2():
    return byte_level(after(split(QWEN_2)), normalizers.NFC(), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])


def gpt_4o():
    return byte_level(after(split(GPT_4O)), vocabulary=6000)


def deepseek():
    return byte_level(after(split("[\r\n]"), split(r"\s?[\p{L}]+"), split(r"\s?[\p{P}]+"), split("[一-龥]+"), pre.Digits(True)))


def clip():
    form = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    made, trainer = byte_level(after(split(CLIP, "removed", True)), form, ["<|startoftext|>", "<|endoftext|>"],
                               unk_token="<|endoftext|>", end_of_word_suffix="</w>")
    return made, trainers.BpeTrainer(vocab_size=3000, special_tokens=["<|startoftext|>", "<|endoftext|>"], initial_alphabet=BYTES,
                                     end_of_word_suffix="</w>", show_progress=False)


def llama_2(fuse=True):
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse, byte_fallback=fuse))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                      decoders.Strip(" ", 1, 0)])
    made.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)] if fuse else []
    made.pre_tokenizer = pre.Split("▁", "merged_with_next")  # for the training's sake
    return made, trainers.BpeTrainer(vocab_size=3000, special_tokens=["<unk>", "<s>", "</s>", *bytes_], limit_alphabet=150,
                                     show_progress=False)


def bert(cased=False, **normal):
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=not cased, **normal)
    made.pre_tokenizer = pre.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=not cased)
    made.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return made, trainers.WordPieceTrainer(vocab_size=4000, special_tokens=["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"],
                                           limit_alphabet=500, show_progress=False)


def splitting(words, normalizer):
    """WordPiece behind other splitters; with hardly a decoder."""
    made, trainer = bert()
    made.pre_tokenizer = words
    made.normalizer = normalizer
    made.decoder = decoders.Sequence([decoders.Fuse(), decoders.Replace("##", "")])
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP] [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return made, trainer


DESIGNS = {
    "gpt_2": gpt_2, "roberta": roberta, "smollm_2": smollm_2, "llama_3": llama_3, "qwen_2": qwen_2, "gpt_4o": gpt_4o,
    "deepseek": deepseek, "clip": clip, "llama_2": llama_2, "llama_2_unknown": lambda: llama_2(False),
    "bert": bert, "bert_cased": lambda: bert(True), "bert_bare": lambda: bert(
        True, clean_text=False, handle_chinese_chars=False, strip_accents=True),
    "bert_accents": lambda: bert(strip_accents=False),
    "punctuation": lambda: splitting(pre.Sequence([pre.WhitespaceSplit(), pre.Punctuation("contiguous"), pre.Digits(False)]),
                                     normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents()])),
    "whitespace": lambda: splitting(pre.Whitespace(), normalizers.NFKC()),
    "words": lambda: splitting(split(r"\w+|\W", "merged_with_previous"), normalizers.NFD()),
    "lines": lambda: splitting(pre.Sequence([split(r"^.+$"), pre.Split("e", "merged_with_next"), pre.Split("an", "removed")]),
                               normalizers.Sequence([])),
}

# Tokens that are found as they are, with every option. The last but one holds another.
ADDED = [AddedToken("<|tool|>", special=True, normalized=False), AddedToken("the", single_word=True, normalized=True),
         AddedToken("Foo Bar", normalized=True), AddedToken("ÉCOLE", normalized=True, rstrip=True),
         AddedToken("<left>", lstrip=True, normalized=False), AddedToken("<right>", rstrip=True, normalized=False),
         AddedToken("<both>", lstrip=True, rstrip=True, special=True, normalized=False), AddedToken("<|to", normalized=False),
         AddedToken("é!", single_word=True, normalized=False), AddedToken("  ", normalized=False)]
