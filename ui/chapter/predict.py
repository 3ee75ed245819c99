"""Predict first: questions that a visitor answers before the page shows the answer.

A page makes its questions from the settings of the moment, each with the settings that it is about:

    predict.ask(size_questions.about(layer), prefix="ps-")

An answer sets the controls, so that the figure shows what was asked. Answers stay for the visit, in no link.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from ui import controls, page

ANSWER_WIDTH = 220


@dataclass(frozen=True)
class Question:
    """Something to predict.

    Attributes:
        text: What is asked, with all numbers that it takes.
        values: The controls that make the page show the answer; the others stay as they are.
        answer: The answer: one of the options, or a whole number.
        why: How one gets there, in a sentence or two.
        options: What to choose from; empty where a whole number is typed.
        mistakes: Wrong answers that suggest themselves, and what each of them overlooks. One that is right under the
            settings of the moment is dropped.
    """

    text: str
    values: Mapping[str, Any]
    answer: int | str
    why: str
    options: Sequence[str] = ()
    mistakes: Mapping[Any, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = {said: words for said, words in self.mistakes.items() if said != self.answer}
        object.__setattr__(self, "mistakes", wrong)


@dataclass(frozen=True)
class NotNow:
    """A question that the settings of the moment leave no room for.

    Attributes:
        reason: Why, and what to change.
    """

    reason: str


Questions = Mapping[str, Callable[[], Question | NotNow]]
"""Name of a question, which no other of the page has -> what makes it; only the one that is asked is made."""


@dataclass
class _Given:
    """What was asked, what the visitor said, and the settings under which the page showed the answer first."""

    question: Question
    said: int | str
    settings: dict[str, Any] | None = None

    @property
    def is_right(self) -> bool:
        return self.said == self.question.answer

    def is_shown(self, prefix: str) -> bool:
        """Whether the page still stands as the answer has set it."""
        if self.settings is None:
            self.settings = {key: st.session_state.get(key) for key in controls.defaults(prefix)}
        return all(st.session_state.get(key) == value for key, value in self.settings.items())


@dataclass
class _Visit:
    """Which question a page is at, and its latest answer to each by name."""

    at: str = ""
    given: dict[str, _Given] = field(default_factory=dict)


def ask(questions: Questions, *, prefix: str) -> None:
    """Ask one question after another; call it when the page has drawn its controls.

    Args:
        questions: Those of the look that the page shows now, made from its settings.
        prefix: What the keys of the page's controls begin with.
    """
    visit = st.session_state.setdefault(f"{prefix}predicted", _Visit())
    names = list(questions)
    place = names.index(visit.at) if visit.at in names else 0
    name, following = names[place], names[(place + 1) % len(names)]
    with st.container(border=True):
        st.subheader("Predict first", anchor=False)
        st.caption(_tell_place(place, len(questions), visit.given.values()))
        if name in visit.given:
            _reveal(visit.given[name], prefix)
        else:
            with page.errors_in_place():
                _pose(name, questions[name](), visit, prefix)
        _go_on(name, following, visit, prefix)


def _tell_place(place: int, num_questions: int, given: Collection[_Given]) -> str:
    words = "Think first, then look."
    if num_questions > 1:
        words = f"Question {place + 1} of {num_questions}. {words}"
    if given:
        words += f" So far: {sum(each.is_right for each in given)} of {len(given)} right."
    return words


def _pose(name: str, question: Question | NotNow, visit: _Visit, prefix: str) -> None:
    if isinstance(question, NotNow):
        st.info(question.reason, icon=":material/block:")
        return
    key = f"{prefix}predict-{name}"
    st.markdown(question.text)
    # In a form, a number that was typed counts when the button is pressed; no key has to be pressed before.
    form = st.form(f"{key}-form", border=False)
    with form.container(horizontal=not question.options, vertical_alignment="bottom"):
        if question.options:
            said = st.radio("Your answer", question.options, index=None, key=key)
        else:
            said = st.number_input("Your answer", value=None, step=1, key=key, width=ANSWER_WIDTH)
        pressed = st.form_submit_button(
            "Show me", key=f"{key}-show", on_click=_take, args=(name, question, visit, key)
        )
    if pressed and said is None:
        st.warning("Give an answer first. A guess will do.", icon=":material/edit:")


def _take(name: str, question: Question, visit: _Visit, key: str) -> None:
    said = st.session_state.get(key)
    if said is not None:
        visit.given[name] = _Given(question, said)
        controls.set_values(question.values)


def _reveal(given: _Given, prefix: str) -> None:
    question = given.question
    st.markdown(question.text)
    shows = "the page shows" if given.is_shown(prefix) else "it was"
    found = f"{shows} {_write(question.answer)}"
    if given.is_right:
        st.success(f"**Right: {found}.** {question.why}", icon=":material/check_circle:")
        return
    said, overlooked = _write(given.said), question.mistakes.get(given.said, "")
    words = f"**Not quite: you said {said}, {found}.** {overlooked} {question.why}"
    st.warning(words, icon=":material/lightbulb:")


def _write(answer: int | str) -> str:
    return f"“{answer}”" if isinstance(answer, str) else f"{answer:,}"


def _go_on(name: str, following: str, visit: _Visit, prefix: str) -> None:
    with st.container(horizontal=True):
        if name in visit.given:
            st.button(
                "Ask again",
                key=f"{prefix}predict-again",
                icon=":material/replay:",
                type="tertiary",
                help="From the settings as they are now.",
                on_click=visit.given.pop,
                args=(name, None),
            )
        if following != name:
            st.button(
                "Next question",
                key=f"{prefix}predict-next",
                icon=":material/arrow_forward:",
                type="tertiary",
                on_click=setattr,
                args=(visit, "at", following),
            )
