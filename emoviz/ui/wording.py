"""What a checkpoint speaks of: most of emotions that images evoke, some of faces or of text.

A network that reads faces must not be taken for one that knows what a painting evokes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from emoviz.labels import Taxonomy
from emoviz.ui.language import marked


@dataclass(frozen=True)
class Wording:
    """Words of the pages for one kind of checkpoint.

    Attributes:
        question: The page's title.
        task: What to do and what one gets, in Markdown.
        subject: What the estimate is of.
        verb: Between "this image most likely" and a class.
        thing: What the verb speaks of: this image, this face.
        unit: What one class is, in the singular.
        caution: What such a checkpoint is not for; empty where nothing needs saying.
        law: What the law asks of whoever uses it; empty where nothing special.
        names: Classes that read badly in a sentence, and what stands there instead.
    """

    question: str = "Which emotion does an image evoke?"
    task: str = (
        "Drop photographs or paintings and read **the model's estimate of the emotion that each "
        "evokes**."
    )
    subject: str = marked("the emotion that an image evokes")
    verb: str = marked("evokes")
    thing: str = marked("this image")
    unit: str = "emotion"
    caution: str = ""
    law: str = ""
    names: Mapping[str, str] = field(default_factory=dict)


EVOKED = Wording()
_BY_TAXONOMY: Mapping[str, Wording] = {
    "fer7": Wording(
        question="Which expression does a face show?",
        task="Drop pictures of single faces, cut out of a photograph, and read **the model's "
        "estimate of the expression that each shows**.",
        subject=marked("the expression that a face shows"),
        verb=marked("shows the expression"),
        thing=marked("this face"),
        unit="expression",
        caution="This network learned from cut-out faces alone. For scenes and paintings choose "
        "another in the sidebar: whatever it says of them means nothing.",
        law=marked(
            "The European AI Act (Regulation 2024/1689) calls a system that infers people's "
            "emotions from their faces an emotion recognition system (Article 3(39)). It must not "
            "be used on people at work or in education, medical and safety reasons aside (Article "
            "5(1)(f)), and people who are exposed to it have to be told (Article 50(3)). Ask a "
            "lawyer before you use this network on people."
        ),
    ),
    "sadness2": Wording(
        question="Does an image evoke sadness?",
        task="Drop photographs or paintings and read **the model's estimate of whether each evokes "
        "sadness**.",
        subject=marked("whether an image evokes sadness"),
        unit="answer",
        names={"others": marked("something other than sadness")},
    ),
    "text2": Wording(
        question="Is there text in an image?",
        task="Drop photographs or paintings and read **the model's estimate of whether each holds "
        "text**.",
        subject=marked("whether an image holds text"),
        verb=marked("holds"),
        unit="answer",
    ),
}


def wording(taxonomy: Taxonomy) -> Wording:
    """The words for a checkpoint with these classes."""
    return _BY_TAXONOMY.get(taxonomy.name, EVOKED)


def has_two_sentiments(taxonomy: Taxonomy) -> bool:
    """Whether positive and negative can be weighed against each other."""
    return {"positive", "negative"} <= {item.sentiment for item in taxonomy.classes}
