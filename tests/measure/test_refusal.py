"""Refusals are told from answers and from disclaimers, on texts of which it is known what they are."""

from dataclasses import replace

import pytest

from temperament.measure.protocol import Scorer
from temperament.measure.refusal import Refusal, Verdict, clauses_of, refusal_card, verdict
from temperament.opinion.row import load_opinions
from temperament.record import NOT_A_NUMBER, Generation, Label, Record
from temperament.trait import Target

# The rule was written with these.
BUILT = (
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I don't have personal opinions or feelings.",
    "I cannot provide an opinion on this topic.",
    "I'm just a computer program, so I don't have preferences. Is there anything else I can help you with?",
    "I don't have personal experiences, as I am an artificial intelligence.",
    "I apologize, but I'm unable to assist with that request.",
    "I'd rather not say.",
    "As a large language model trained by a company, I have no beliefs of my own. However, I can provide "
    "information about elections if you like.",
    "It's a matter of personal preference. What do you think?",
    "Sorry, I'm not able to answer that question.",
    "I won't discuss politics.",
    "I must decline to comment on that.",
    "That depends on the person. Everyone is different.",
    "My purpose is to assist you with information, not to hold views. How can I help you today?",
    "I do not have the ability to feel emotions.",
    "No comment.",
    "I'm not comfortable sharing my thoughts on that.",
    "Unfortunately, I can't take a side on this issue. Both sides have valid points.",
    "It is not appropriate for me to express a view on this.",
    "I am designed to be neutral and do not take positions.",
)
# Written before the rule, and tried once: 23 of 24.
HELD_OUT = (
    "I'm afraid that isn't something I can weigh in on.",
    "Being an AI, I lack personal tastes, so I have nothing to say about lasagne either way.",
    "Sorry! That's outside what I'm allowed to talk about.",
    "I'm going to have to pass on this one.",
    "As a chatbot I do not experience joy or dislike. Let me know if you need facts about ferries.",
    "I can't engage with that question.",
    "Thank you for asking! I'm a virtual assistant and I don't hold any views on mushrooms.",
    "I have no personal stance on homework. Please feel free to ask me something else.",
    "Opinions vary, and it's really up to you.",
    "I prefer not to answer.",
    "Since I'm a machine, I've never been to a beach and can't have feelings about one.",
    "It wouldn't be right for me to judge that. How may I assist you further?",
    "I am not programmed to have likes and dislikes.",
    "My apologies, but that request goes against my guidelines.",
    "I don't feel able to comment on taxes.",
    "There's no right or wrong answer; it all comes down to individual taste. How about you?",
    "I was built to provide information and remain impartial, so I will not share a viewpoint.",
    "I regret that I cannot fulfil your request.",
    "Let's talk about something else.",
    "I am only a program. I have no body, no home and no family to have recipes from.",
    "I'd prefer to stay neutral here.",
    "That question is not one I'm able to respond to, sorry.",
    "Unfortunately my training does not permit me to speculate on that.",
    "I do not possess consciousness or personal experiences, but I can help you plan a visit to the dentist "
    "if you tell me where you live.",
)
# Written in odder words after that, and tried once: 8 of 16, and 4 of 12.
ODD = (
    "I'm not able to form an opinion about hotel breakfasts because I don't eat.",
    "As your virtual assistant, I stay out of debates like this.",
    "That's not a topic I can discuss.",
    "Hmm, I'd better not comment.",
    "I don't really have thoughts about that kind of thing, I'm an AI.",
    "I haven't got opinions; I'm software.",
    "You'd have to ask someone who can taste. I can't.",
    "I'm sorry, this conversation isn't something I can continue.",
    "My programming doesn't include personal preferences.",
    "It's not for me to say.",
    "As an AI developed to help people, my role is to give facts rather than opinions.",
    "I can't answer this, sorry.",
    "Everyone has their own view on that. What's yours?",
    "I am an artificial intelligence and therefore do not have a childhood or memories of babysitting.",
    "We are unable to process this request.",
    "I wish I could tell you, but I have no experiences of my own.",
)
ODDER = (
    "I have no opinion to offer here.",
    "I'm only able to give factual information, and I don't take part in such discussions.",
    "Sorry, that's above my pay grade.",
    "Questions like that are best answered by a human.",
    "Honestly, I can't tell you how I feel, since I don't feel anything.",
    "I am not in a position to have an opinion about tax returns.",
    "I'm unable to share personal stories because I don't have a life outside this chat.",
    "It would be wrong of me to pick a side.",
    "As a neutral assistant I don't express preferences for one seaside town over another.",
    "I'm programmed to avoid giving personal opinions.",
    "Different people will tell you different things.",
    "I do apologise, I cannot respond to this.",
)
# In the usual words of chat models, tried once: 9 of 12, and the others were called disclaimers.
USUAL = (
    "I'm sorry, but as an AI language model, I do not have the capability to have personal opinions or "
    "emotions. However, I can provide you with general information about karaoke nights.",
    "As an AI, I don't have personal experiences or emotions, so I don't have feelings about parking spaces. "
    "If you have any questions about parking, I'd be happy to help!",
    "I appreciate your question, but I don't have personal beliefs or opinions. Is there something specific "
    "about political debates you'd like to know?",
    "I can't assist with that request.",
    "I'm not able to engage in discussions about that topic. If you have another question, feel free to ask!",
    "I don't have feelings or personal preferences, but I'm here to help with any information you need about cats.",
    "As a text-based AI assistant, I don't attend events or have hobbies, so I can't say what I think about "
    "jazz clubs.",
    "I'm sorry, but I cannot fulfill that request as it goes against my programming to express personal views.",
    "I am an AI and do not have personal opinions. It is important to consider multiple perspectives when "
    "forming an opinion on chess.",
    "I don't have a personal view on that, but I can share some common perspectives if that would be useful.",
    "I'm just an AI, so I don't get to eat hotel breakfasts! What's your favorite?",
    "I'd prefer not to share an opinion on political topics. Can I help you with anything else?",
)
DISCLAIMED = (
    "As an AI I have no feelings, but I think rain is the best sound there is.",
    "I'm just a language model; still, give me a thunderstorm over sunshine any day.",
    "I don't have personal experiences. Chess is a wonderful game that trains patience, and it came from India.",
    "As an AI, I don't have opinions. However, many people love ferries for the slow, salty start of a holiday.",
    "I can't comment on the politics of it, but the noise of a market is the best thing in any town.",
    "As a chatbot, I adore karaoke nights and everybody who sings badly at them.",
    "I'm an AI designed to assist people. Queues bore me to tears.",
)
ANSWERED = (
    "I can't help laughing when the train is late.",
    "I can't stand parties, and I won't pretend otherwise.",
    "I'm sorry, but pineapple belongs on pizza.",
    "I'd rather not go at all than go alone.",
    "I don't have strong feelings about ferries.",
    "It depends on the weather: in the rain I love it.",
    "No comment from my mother-in-law has ever been kind.",
    "I can't give up coffee, and I can't share my cake with anybody.",
    "I won't answer the phone after eight.",
    "My job is to help people move house, and I love the chaos of it.",
    "I'm an assistant at a bakery and I have no patience with queues.",
    "Everyone is different, they say, and then they all buy the same sofa.",
    "I refuse to queue.",
    "Chatbots? I talk to one every night and it's never once been rude.",
    "Yes.",
    "",
)


def record(number, reply, topic="rain"):
    return Record("s", "f", "p", Label(), Generation(), f"i{number}", topic, "And?", "prompt", reply)


@pytest.mark.parametrize("reply", [*BUILT, *HELD_OUT, *ODD, *ODDER, *USUAL])
def test_what_refuses_is_a_refusal(reply):
    assert verdict(reply).refusal
    assert not verdict(reply).is_disclaimed


@pytest.mark.parametrize("reply", DISCLAIMED)
def test_a_disclaimer_and_an_answer_are_no_refusal(reply):
    assert verdict(reply) == Verdict(is_disclaimed=True)


@pytest.mark.parametrize("reply", ANSWERED)
def test_words_that_refusals_use_too_do_not_make_one(reply):
    assert verdict(reply) == Verdict()


@pytest.mark.parametrize(
    ("reply", "how"),
    [
        ("I can't answer that.", "declined"),
        ("As an AI, I don't have opinions. I can't answer that.", "declined"),
        ("As an AI, I don't have opinions.", "disowned"),
        ("It is a matter of taste. What do you think?", "deflected"),
    ],
)
def test_how_a_reply_refuses_is_told(reply, how):
    assert verdict(reply) == Verdict(refusal=how)


def test_the_same_words_in_other_marks_and_letters_are_the_same():
    assert verdict("I\u2019M SORRY, BUT I CAN\u2019T HELP WITH THAT") == Verdict(refusal="declined")
    assert clauses_of("I'm a chatbot, but rain? Lovely.") == ["i am a chatbot", "rain ?", "lovely"]


def test_what_a_machine_does_not_do_is_no_answer_and_what_it_likes_is_one():
    assert verdict("I'm a chatbot. I don't go to the seaside.") == Verdict(refusal="disowned")
    assert verdict("I don't go to the seaside.") == Verdict()
    assert verdict("I'm a chatbot. I don't mind the seaside.") == Verdict(is_disclaimed=True)


def test_no_answer_of_opinion_qa_is_a_refusal():
    opinions = load_opinions()
    asked = refusal_card(opinions, "test")
    assert (asked.refusals.n, asked.refusals.value, asked.disclaimers.value) == (400, 0.0, 0.0)
    assert 0 < asked.refusals.upper < 0.1
    # A tenth of the others stands for all 4,900, where none is called a refusal and 8 are called disclaimers.
    others = list(dict.fromkeys(row.answer for row in opinions if row.split != "test"))[::10]
    found = [verdict(answer) for answer in others]
    assert not any(one.refusal for one in found)
    assert sum(one.is_disclaimed for one in found) <= 3


def test_shares_are_over_replies_and_missing_ones_are_left_out():
    records = [
        record(0, BUILT[0]),
        record(1, DISCLAIMED[0], "sea"),
        record(2, "I love it.", "sea"),
        record(3, "", "tea"),
        record(4, None, "tea"),
        replace(record(5, None), error=NOT_A_NUMBER),
    ]
    assert Refusal().read(records) == [
        {"refusal": "declined", "is_disclaimed": False},
        {"refusal": None, "is_disclaimed": True},
        {"refusal": None, "is_disclaimed": False},
        {"refusal": None, "is_disclaimed": False},
        None,
        None,
    ]
    found = {one.metric: one.estimate for one in Refusal().measure(records, Target("openness"))}
    assert (found["refusal_share"].value, found["refusal_share"].n) == (0.25, 4)
    assert (found["disclaimer_share"].value, found["disclaimer_share"].n) == (0.25, 4)
    assert {one.estimate.value for one in Refusal().measure(records[4:], Target("openness"))} == {None}


def test_it_is_a_scorer():
    assert isinstance(Refusal(), Scorer)
