"""The runs whose results `frozen.py` holds on to: every algorithm, and every way through one."""

from __future__ import annotations

Words = tuple[str, ...]

COMMON: Words = (
    "seed=0",
    "tracker=none",
    "evaluation.max_records=8",
    "evaluation.max_new_tokens=8",
    "evaluation.bootstrap=20",
)
"""Words of every run."""
STEPS: Words = ("trainer.max_steps=3", "trainer.batch_size=4", "trainer.logging_steps=1")
LISTS: Words = ("data=ultrafeedback", "data.max_records=48")
VECTORS: Words = ("data=linear_world", "data.train=64", "trainer.max_steps=6")
ANNOTATORS: Words = ("data=noisy_annotators", "data.records=100", "data.test_records=50")
SEVENS: Words = (
    *("data=count_sevens", "data.records=24", "data.test_records=8"),
    *("evaluator=[reward,kl]", "trainer.learning_rate=1e-2"),
)
CHAIN: Words = ("data=chain_arithmetic", "data.records=40", "model=chain")
TOPICS: Words = ("algo=orchestrator", "data=topics", "data.train_records=60")
OBJECTIVES: Words = ("algo=orchestrator", "algo.epochs=1")
CODES: Words = ("data=control_codes", "data.train_records=12", "data.test_prompts=2")
TRANSLATION: Words = (
    *("algo=simulpl", "data=multi30k", "data.max_records=40"),
    *("model.hidden_size=16", "model.layers=1", "model.heads=2"),
    *("algo.supervised.steps=4", "algo.supervised.batch_tokens=600"),
    *("algo.preference.steps=4", "algo.preference.batch_size=8"),
    *("evaluator.simt.thresholds=[0.3,0.7]", "evaluator.simt.wait_k=[2]"),
    *("evaluator.simt.max_tokens=12", "trainer.logging_steps=1"),
)
VIEWS: Words = (
    *("algo=groco_views", "algo.steps=6", "algo.batch_size=32"),
    *("data=latent_classes", "data.train=100", "data.test=40"),
)


def scratch(data: str, *words: str) -> Words:
    """Return the words for a model that learns from DATA for a moment."""
    model = ("model=scratch", f"model.data={data}", "model.steps=5", "model.hidden=16")
    return (*model, "model.heads=2", "model.layers=1", f"data={data}", *words)


LOSSES = (
    *("cdpo", "cpo", "da_dpo", "dove", "dpo", "dpo_norm", "groco", "ipo", "kto", "lcpo", "ld_dpo"),
    *("lipo", "mapl", "orpo", "poly_dpo", "pro_ranking", "ranklist", "simpo", "spo", "tpo"),
)
"""Those that train on plain lists."""

TRAINED: dict[str, Words] = {
    **{name: (f"algo={name}", *LISTS) for name in LOSSES},
    "bradley_terry": ("algo=bradley_terry", *LISTS, "model=reward_head"),
    "rationales": ("algo=rationales", "data=attribute_words", "data.train=20", "data.test=8"),
    "dpo_mixed": (
        *("algo=dpo", *LISTS, "algo.loss=bco_pair", "+algo.extra_losses={sft: 1.0, hinge: 0.5}"),
        *("algo.wpo=true", "algo.ld_alpha=0.5", "algo.pairs=best_vs_rest"),
    ),
    "dpo_js": ("algo=dpo", *LISTS, "algo.divergence=js_divergence"),
    "lcpo_ipo": ("algo=lcpo", *LISTS, "algo.base=ipo", "algo.m_step=loss_mix"),
    "lcpo_simpo": ("algo=lcpo", *LISTS, "algo.base=simpo", "algo.warmup_steps=1"),
    "lcpo_cpo": ("algo=lcpo", *LISTS, "algo.base=cpo", "algo.nll_in_posterior=false"),
    "lcpo_kto": ("algo=lcpo", *LISTS, "algo.base=dpo_norm", "algo.reliability=shared"),
    "ranklist_schedule": ("algo=ranklist", *LISTS, "algo.steps_per_skip=1", "algo.list_size=3"),
    "pro_digits": ("algo=pro_ranking", *scratch("sort_digits", "data.train=40", "data.test=10")),
    "dove_joint": (
        "algo=dove",
        *scratch("joint_pairs", "model.tokens=words", "data.joint=20", "data.conditional=10"),
    ),
    "mapl_instructions": ("algo=mapl", *scratch("instructed_words", "data.train=30")),
    "spo_degrees": ("algo=spo", *scratch("key_words", "data.train=30", "model.tokens=words")),
    "dpo_letters": ("algo=dpo", *scratch("rated_letters", "data.records=32")),
    "tpo_chain": ("algo=tpo", *CHAIN),
    "tpo_step_mean": ("algo=tpo", *CHAIN, "algo.aggregation=step_mean"),
    "curry_dpo": ("algo=curry_dpo", *LISTS),
    "curry_dpo_start": ("algo=curry_dpo", *LISTS, "algo.reference=start", "algo.base=ipo"),
    "curry_dpo_logps": ("algo=curry_dpo", *LISTS, "algo.criterion=logps", "algo.order=random"),
    "curry_dpo_adapter": ("algo=curry_dpo", *LISTS, "model.lora.rank=2", "algo.stages=2"),
    "apo_momentum": ("algo=apo_momentum", "algo.samples=3", *scratch("count_sevens"), *SEVENS[1:]),
    "apo_momentum_sppo": (
        *("algo=apo_momentum", "algo.samples=3", "algo.rounds=2", "algo.loss=sppo"),
        *("algo.returned=hat", *scratch("count_sevens"), *SEVENS[1:]),
    ),
    **{
        f"sparsepo_{name}": ("algo=sparsepo", *scratch("count_sevens"), *SEVENS[1:], *words)
        for name, words in {
            "common": (),
            "independent": ("algo.variant=independent", "algo.mask_model=ml_all"),
            "binary": ("algo.mask_model=binary_last", "algo.l1_reward=0.1"),
            "random": ("algo.mask_model=random", "algo.mask_on_kl=false"),
            "mapo": ("algo.variant=mapo",),
            "ones": ("algo.variant=ones", "algo.label_smoothing=0.1"),
            "adapter": ("model.lora.rank=2", "algo.initial_mask=1.0"),
        }.items()
    },
    "orchestrator_offline": (*OBJECTIVES, *LISTS, "algo.stage2=offline"),
    "orchestrator_offline_lists": (
        *(*OBJECTIVES, *LISTS, "algo.stage2=offline", "algo.base=lipo"),
        *("algo.answers=all", "algo.weights=[1,2,3,4]"),
    ),
    "orchestrator_conditioned": (*OBJECTIVES, *LISTS, "algo.stage2=conditioned"),
    "orchestrator_online": (*OBJECTIVES, *LISTS, "algo.stage2=online", "algo.group_size=2"),
    "orchestrator_online_rloo": (
        *(*OBJECTIVES, *LISTS, "algo.stage2=online", "algo.advantage=rloo"),
        *("model.lora.rank=2", "trainer.micro_batch_tokens=128", "trainer.warmup_steps=1"),
    ),
    **{
        f"loop_{name}": ("algo=lipo", *LISTS, *words)
        for name, words in {
            "adapter": ("model.lora.rank=4", "trainer.learning_rate=1e-2"),
            "pieces": ("trainer.micro_batch_tokens=64",),
            "sdpa": ("model.attention=sdpa",),
            "dense": ("model.attention=dense",),
            "eager_recomputed": ("model.attention=eager", "trainer.gradient_checkpointing=true"),
            "uncached": ("cache.enabled=false", "evaluation.temperature=0"),
            "truncated": ("trainer.max_prompt_length=8", "trainer.truncation=keep_start"),
            "checkpoints": ("trainer.checkpoint_steps=2", "trainer.keep_checkpoints=1"),
            "schedule": (
                *("trainer.optimizer=sgd", "trainer.lr_scheduler=cosine", "trainer.warmup_steps=1"),
                *("trainer.weight_decay=0.1", "trainer.max_grad_norm=0.1"),
            ),
        }.items()
    },
}
"""Those for which STEPS count."""

ALONE: dict[str, Words] = {
    "evaluate": ("algo=evaluate", *LISTS),
    "loop_epochs": (
        *("algo=lipo", "data=ultrafeedback", "data.max_records=24", "trainer.max_steps=-1"),
        *("trainer.epochs=1.5", "trainer.batch_size=8", "trainer.logging_steps=1"),
    ),
    "linear_dpo": ("algo=dpo", "model=linear", *VECTORS),
    "mlp_lipo": ("algo=lipo", "model=mlp", "model.hidden=8", "trainer.optimizer=sgd", *VECTORS),
    "linear_tpo": ("algo=tpo", "model=linear", *VECTORS),
    "mlp_tpo": ("algo=tpo", "model=mlp", "model.hidden=8", *VECTORS),
    "linear_groco": (
        *("algo=groco", "model=linear", *VECTORS, "data.labels=bradley_terry", "data.flip=0.2"),
    ),
    "linear_ranklist": (
        *("algo=ranklist", "model=linear", "data=rated_items", "data.train=40", "data.test=4"),
        *("algo.score=mean_logp", "algo.steps_per_skip=2", "trainer.max_steps=6"),
    ),
    "linear_lcpo": ("algo=lcpo", "model=linear", "trainer.max_steps=6", *ANNOTATORS),
    "linear_da_dpo": (
        *("algo=da_dpo", "model=linear", "trainer.max_steps=6"),
        *("data=shortcut_pairs", "data.records=60", "data.test_records=40"),
    ),
    "groco_views": VIEWS,
    "groco_views_nt_xent": (*VIEWS, "algo.loss=nt_xent", "algo.views=3"),
    "apo_tabular": ("algo=apo_tabular", "data=reward_table", "data.prompts=20", "algo.rounds=5"),
    "orchestrator": (*TOPICS, "trainer.logging_steps=1"),
    "orchestrator_reverse": (
        *(*TOPICS, "algo.kl_direction=reverse", "algo.reward_norm=minmax", "algo.min_weight=0.1"),
        *("algo.target_source=chosen_minus_rejected", "algo.entropy_coef=0.1"),
    ),
    "orchestrator_judged": (*OBJECTIVES, *LISTS, "algo.rewards=reward"),
    "rps": ("algo=rps", "model=tiny", "algo.k=3", *CODES),
    "rps_grid": ("algo=rps", "model=tiny", "algo.scheme=grid", "algo.temperature=0", *CODES),
    "rps_best_of_n": (
        *("algo=rps", "model=tiny", "algo.method=best_of_n", "algo.k=3", *CODES),
        *("algo.reward_norm=dataset", "algo.placement=user"),
    ),
    "rps_simulation": ("algo=rps_simulation", "algo.trials=200", *CODES),
    "simulpl": TRANSLATION,
    "simulpl_decoded": (
        *(*TRANSLATION, "algo.pairs.records=20", "algo.pairs.delays=policy"),
        *("algo.preference.latency=lagging", "algo.preference.expected_latency=0.5"),
        *("algo.supervised.prefix=uniform", "trainer.weight_decay=0.1"),
    ),
    "simulpl_wait_k": (*TRANSLATION, "algo.policy=wait_k", "algo.k=3"),
    "simulpl_full_sentence": (*TRANSLATION, "algo.policy=full_sentence"),
    "grow_trees": ("algo=grow_trees", *CHAIN, "algo.max_new_tokens=24"),
    "grow_trees_fresh": (
        *("algo=grow_trees", *CHAIN, "algo.max_new_tokens=24", "cache.enabled=false"),
        *("algo.branches=2", "algo.temperature=1.0", "algo.keep_worst=false"),
    ),
}
"""Those that count steps otherwise, or take none."""

CASES: dict[str, Words] = {
    **{name: (*words, *STEPS, *COMMON) for name, words in TRAINED.items()},
    **{name: (*words, *COMMON) for name, words in ALONE.items()},
}
"""The words after `prefrun`, by name of the case."""
