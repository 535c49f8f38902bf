"""The tokenizer of a GGUF file, as Hugging Face's tokenizer.json and tokenizer_config.json say it.

Only byte-level BPE (tokenizer.ggml.model = gpt2), with the pre-tokenizers of PRE_TOKENIZERS.
"""

from analysis.gguf import UnreadableModel

CONTROL, USER_DEFINED, UNUSED = 3, 4, 5  # tokenizer.ggml.token_type
ROLES = {"bos_token": "bos_token_id", "eos_token": "eos_token_id", "unk_token": "unknown_token_id",
         "pad_token": "padding_token_id"}

GPT2_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
NEWER_WORDS = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
               r"\s+(?!\S)|\s+")


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def byte_level(use_regex):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


# tokenizer.ggml.pre -> pre_tokenizer. ByteLevel's own regex is GPT-2's.
PRE_TOKENIZERS = {
    "gpt-2": byte_level(True),
    "smollm": sequence({"type": "Digits", "individual_digits": True}, byte_level(True)),
    "llama-bpe": sequence(split(NEWER_WORDS % "{1,3}"), byte_level(False)),
    "qwen2": sequence(split(NEWER_WORDS % ""), byte_level(False)),
    # What llama.cpp does where it knows no better; no model was trained with it.
    "default": sequence(split(r"[\p{P}\$\+<=>\^~\|]+"), split(GPT2_WORDS), split(r"\p{N}+"), split("[0-9][0-9][0-9]"),
                        byte_level(False)),
}


class Tokenizer:
    """What the metadata of a Gguf says about its tokenizer. Raises UnreadableModel."""

    def __init__(self, model):
        self.path, self.metadata = model.path, model.metadata
        kind, self.pre = self.said("model", None), self.said("pre", "default")
        if kind != "gpt2":
            raise UnreadableModel(f"'{self.path}': tokenizer.ggml.model is {kind!r}; accepted is gpt2, which is byte-level BPE")
        if self.pre not in PRE_TOKENIZERS:
            raise UnreadableModel(f"'{self.path}': tokenizer.ggml.pre is {self.pre!r}; accepted are {', '.join(PRE_TOKENIZERS)}")
        self.tokens = self.texts("tokens")
        self.merges = self.texts("merges")
        self.types = self.said("token_type", [1] * len(self.tokens))
        if not isinstance(self.types, list) or len(self.types) != len(self.tokens):
            raise UnreadableModel(f"'{self.path}': tokenizer.ggml.token_type is not one number for each of the tokens")
        self.vocabulary = {token: index for index, token in enumerate(self.tokens) if self.types[index] != UNUSED}
        self.check()
        self.special = {role: self.tokens[self.id(key)] for role, key in ROLES.items() if self.id(key) is not None}

    def said(self, key, default):
        return self.metadata.get("tokenizer.ggml." + key, default)

    def texts(self, key):
        values = self.said(key, None)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise UnreadableModel(f"'{self.path}': has no list of texts tokenizer.ggml.{key}")
        return values

    def id(self, key):
        """The number of a special token, None where there is none."""
        number = self.said(key, None)
        if number is not None and not (isinstance(number, int) and 0 <= number < len(self.tokens)):
            raise UnreadableModel(f"'{self.path}': tokenizer.ggml.{key} is {number!r}; there are {len(self.tokens)} tokens")
        return number

    def check(self):
        used = sum(kind != UNUSED for kind in self.types)
        if len(self.vocabulary) != used:
            raise UnreadableModel(f"'{self.path}': {used - len(self.vocabulary)} of its tokens stand in the vocabulary twice")
        for merge in self.merges:
            left, _, right = merge.partition(" ")
            if not {left, right, left + right} <= self.vocabulary.keys():
                raise UnreadableModel(f"'{self.path}': merge {merge!r} has to be of two tokens, and make one")

    def adds(self, role):
        """Whether a text gets this token (bos or eos) around it."""
        return bool(self.said(f"add_{role}_token", role == "bos" and self.pre == "llama-bpe")) and f"{role}_token" in self.special

    def template(self):
        """The post-processor that puts bos before and eos behind a text; None where neither is wanted."""
        around = {role: self.special[f"{role}_token"] for role in ("bos", "eos") if self.adds(role)}

        def one(name, number):
            token = {role: [{"SpecialToken": {"id": text, "type_id": number}}] for role, text in around.items()}
            return token.get("bos", []) + [{"Sequence": {"id": name, "type_id": number}}] + token.get("eos", [])

        special = {text: {"id": text, "ids": [self.id(f"{role}_token_id")], "tokens": [text]} for role, text in around.items()}
        return {"type": "TemplateProcessing", "single": one("A", 0), "pair": one("A", 0) + one("B", 1),
                "special_tokens": special} if around else None

    def file(self):
        """What tokenizer.json holds."""
        added = [{"id": index, "content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                  "special": kind == CONTROL} for index, (token, kind) in enumerate(zip(self.tokens, self.types))
                 if kind in (CONTROL, USER_DEFINED)]
        model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                 "fuse_unk": False, "byte_fallback": False, "ignore_merges": self.pre == "llama-bpe",
                 "vocab": self.vocabulary, "merges": self.merges}
        return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
                "normalizer": {"type": "NFC"} if self.pre == "qwen2" else None, "pre_tokenizer": PRE_TOKENIZERS[self.pre],
                "post_processor": self.template(), "decoder": byte_level(True), "model": model}

    def config(self, longest):
        """What tokenizer_config.json holds."""
        chat = self.metadata.get("tokenizer.chat_template")
        return {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": longest, "clean_up_tokenization_spaces": False,
                "add_bos_token": self.adds("bos"), "add_eos_token": self.adds("eos"), **self.special,
                **({"chat_template": chat} if isinstance(chat, str) else {})}
