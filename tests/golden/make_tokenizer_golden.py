#!/usr/bin/env python3
"""Makes tokenizers.json beside it: tiny tokenizers trained on the texts below, and what Hugging Face's library `tokenizers`
makes of these texts (`pip install tokenizers`; made with 0.23.3). tests/text/tokenizer_test.cpp compares."""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "text"))

import designs  # noqa: E402
from texts import AWKWARD  # noqa: E402
from tokenizers import trainers  # noqa: E402

PROSE = """The edge sends its modules down to the clients of a cluster; the clients train in turn and send them back.
An antenna on the roof hears seven clients. Two of them are slow, one is far away, and the other four aren't there yet.
Der Bote fährt über die Brücke, trinkt süßen Kaffee und schläft, bis die Züge wieder fahren. Größe zählt nicht.
El niño pidió más piñas; ¿cuándo volverá la señora? Mañana, quizás. ¡Qué pingüino tan pequeño!
Où est passé l'élève qui lisait près de la fenêtre ? Il a quitté l'école très tôt, ça c'est sûr.
Зимой снег ложится на крыши, и ветер стихает. Весной реки снова шумят, а дети бегут к воде.
Zażółć gęślą jaźń, powiedział źdźbłem łaskotany bóbr. Příliš žluťoučký kůň úpěl.
雨が降っています。明日は晴れるでしょう。今天天气很好，我们去公园散步吧。바람이 불고 비가 옵니다.
In 1999 there were 128 base stations, 3,600 metres apart; by 2024 it's 65536. We'll see what they've built, I'd say.
"""


def main():
    corpus = PROSE.split("\n") * 3
    texts = PROSE.split("\n") + [text[:60] for text in AWKWARD]
    out = {"about": "Made by make_tokenizer_golden.py with Hugging Face's tokenizers.", "texts": texts, "tokenizers": {}}
    for name in ("gpt_2", "roberta", "smollm_2", "llama_3", "qwen_2", "bert", "bert_cased"):
        made, trainer = designs.DESIGNS[name]()
        trainer.vocab_size = 420
        if isinstance(trainer, trainers.WordPieceTrainer):
            trainer.limit_alphabet = 150
        made.train_from_iterator(corpus, trainer)
        if name in ("gpt_2", "bert"):
            made.add_tokens(designs.ADDED)
        found = [made.encode(text).ids for text in texts]
        out["tokenizers"][name] = {"file": json.loads(made.to_str()), "ids": found,
                                   "decoded": [made.decode(each, skip_special_tokens=False) for each in found]}
    text = json.dumps(out, ensure_ascii=False, separators=(",", ":"))
    (HERE / "tokenizers.json").write_text(text.replace('"file":', '\n"file":').replace('"ids":', '\n"ids":') + "\n",
                                          encoding="utf-8")


if __name__ == "__main__":
    main()
