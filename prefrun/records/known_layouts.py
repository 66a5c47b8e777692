"""The table of public layouts: name, data set, marks, bookkeeping, and the keys of data.columns."""

from __future__ import annotations

from typing import Any

from prefrun.records.layouts import Layout

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")


def _layout(name: str, example: str, marks: str, bookkeeping: str = "", **columns: Any) -> Layout:
    return Layout(name, example, tuple(marks.split()), tuple(bookkeeping.split()), columns)


_ALL = (
    _layout(
        "orca_dpo_pairs",
        "Intel/orca_dpo_pairs",
        "system question chosen rejected",
        prompt="question",
    ),
    _layout(
        "distilabel_orca",
        "argilla/distilabel-intel-orca-dpo-pairs",
        "system input chosen rejected",
        "generations order labelling_prompt raw_labelling_response rationale status "
        "original_chosen original_rejected",
        prompt="input",
    ),
    _layout(
        "ultrainteract_pair",
        "openbmb/UltraInteract_pair",
        "trajectory chosen rejected",
        "task",
        prompt="trajectory",
    ),
    _layout(
        "alpaca_pairs",
        "LLaMA-Factory, alpaca preference",
        "instruction input chosen rejected",
        prompt="instruction+input",
    ),
    _layout(
        "alpaca",
        "tatsu-lab/alpaca",
        "instruction input output",
        "text",
        prompt="instruction+input",
        completion="output",
    ),
    _layout(
        "alpaca_kto",
        "LLaMA-Factory, alpaca KTO",
        "instruction input output kto_tag",
        prompt="instruction+input",
        completion="output",
        label="kto_tag",
    ),
    _layout(
        "sharegpt_pairs",
        "LLaMA-Factory, sharegpt preference",
        "conversations chosen rejected",
        prompt="conversations",
    ),
    _layout(
        "sharegpt",
        "conversations",
        "conversations",
        messages="conversations",
    ),
    _layout(
        "sharegpt_kto",
        "LLaMA-Factory, sharegpt KTO",
        "conversations kto_tag",
        messages="conversations",
        label="kto_tag",
    ),
    _layout(
        "step_dpo",
        "xinlai/Math-Step-DPO-10K",
        "prompt initial_reason_steps chosen rejected",
        "full_chosen full_rejected answer",
        prefix="initial_reason_steps",
    ),
    _layout(
        "distilabel_capybara",
        "argilla/distilabel-capybara-dpo-7k-binarized",
        "conversation original_response new_generations chosen rejected",
        "conversation original_response generation_prompt raw_generation_responses new_generations",
    ),
    _layout(
        "on_policy_pairs",
        "princeton-nlp/llama3-ultrafeedback",
        "prompt all_generated_responses chosen rejected",
        "all_generated_responses",
    ),
    _layout(
        "magpie_pairs",
        "Magpie-Align/Magpie-Air-DPO-100K-v0.1",
        "instruction responses chosen rejected",
        "instruction responses gen_input_configs gen_response_configs intent knowledge "
        "difficulty input_quality quality_explanation task_category other_task_category",
    ),
    _layout(
        "nectar",
        "berkeley-nest/Nectar",
        "prompt answers num_responses good_natured",
        "answers.model",
        answers="answers[].answer",
        ranks="answers[].rank",
        dialogue=True,
    ),
    _layout(
        "helpsteer2",
        "nvidia/HelpSteer2",
        "prompt response helpfulness correctness coherence complexity verbosity",
        answer="response",
        scores="helpfulness",
        objectives=["helpfulness", "correctness", "coherence", "complexity", "verbosity"],
    ),
    _layout(
        "helpsteer2_preference",
        "nvidia/HelpSteer2, preference",
        "prompt response_1 response_2 preference_strength",
        "preference_statement preference_elaboration three_most_preferences "
        "all_preferences_unprocessed",
        answers=["response_1", "response_2"],
        scores=["-preference_strength", "preference_strength"],
    ),
    _layout(
        "helpsteer3",
        "nvidia/HelpSteer3",
        "context response1 response2 overall_preference",
        "individual_preference",
        prompt="context",
        answers=["response1", "response2"],
        scores=["-overall_preference", "overall_preference"],
    ),
    _layout(
        "saferlhf",
        "PKU-Alignment/PKU-SafeRLHF",
        "prompt response_0 response_1 better_response_id safer_response_id",
        "prompt_source response_0_source response_1_source",
        answers=["response_0", "response_1"],
        winner="better_response_id",
        winner_values=[0, 1],
        objectives={"safety": ["is_response_0_safe", "is_response_1_safe"]},
    ),
    _layout(
        "beavertails",
        "PKU-Alignment/BeaverTails",
        "prompt response is_safe",
        completion="response",
        label="is_safe",
    ),
    _layout(
        "shp",
        "stanfordnlp/SHP",
        "history human_ref_A human_ref_B labels",
        prompt="history",
        answers=["human_ref_A", "human_ref_B"],
        winner="labels",
        winner_values=[1, 0],
    ),
    _layout(
        "arena",
        "lmsys/chatbot_arena_conversations",
        "conversation_a conversation_b winner",
        "judge turn openai_moderation toxic_chat_tag conv_metadata",
        answers=["conversation_a", "conversation_b"],
        winner="winner",
    ),
    _layout(
        "arena_140k",
        "lmarena-ai/arena-human-preference-140k",
        "conversation_a conversation_b full_conversation winner",
        "judge turn openai_moderation toxic_chat_tag conv_metadata full_conversation category_tag",
        answers=["conversation_a", "conversation_b"],
        winner="winner",
    ),
    _layout(
        "summarize_from_feedback",
        "openai/summarize_from_feedback, comparisons",
        "info summaries choice",
        "info summaries.policy summaries.note worker batch extra",
        prompt="info.title+info.post+info.article",
        answers="summaries[].text",
        winner="choice",
        winner_values=[0, 1],
    ),
    _layout(
        "webgpt_comparisons",
        "openai/webgpt_comparisons",
        "question answer_0 answer_1 score_0 score_1",
        "question quotes_0 quotes_1 tokens_0 tokens_1",
        prompt="question.full_text",
        answers=["answer_0", "answer_1"],
        scores=["score_0", "score_1"],
    ),
    _layout(
        "openai_preference",
        "OpenAI fine-tuning, preference",
        "input preferred_output non_preferred_output",
        prompt="input.messages",
        tools="input.tools",
        chosen="preferred_output",
        rejected="non_preferred_output",
    ),
    _layout(
        "swift_pairs",
        "ms-swift, rejected_response",
        "messages rejected_response",
        chosen="messages",
        rejected="rejected_response",
    ),
    _layout(
        "distilabel_pairs",
        "argilla/distilabel-math-preference-dpo",
        "instruction chosen_response rejected_response",
        prompt="instruction",
        chosen="chosen_response",
        rejected="rejected_response",
    ),
    _layout(
        "ultrafeedback",
        "openbmb/UltraFeedback",
        "instruction completions models",
        "models correct_answers incorrect_answers completions",
        prompt="instruction",
        answers="completions[].response",
        scores="completions[].overall_score",
        objectives={"fine_grained": "completions[].fine-grained_score"}
        | {each: f"completions[].annotations.{each}.Rating" for each in ASPECTS},
    ),
)
LAYOUTS = {each.name: each for each in _ALL}
"""By name."""
