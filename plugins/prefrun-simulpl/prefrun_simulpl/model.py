"""model=simt: one decoder for source and target, with a head for the confidence to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from prefrun import ConfigError
from prefrun.builtin.loading import chosen_device, no_progress_bar
from prefrun.errors import first_sentence
from prefrun.policy.fingerprint import fingerprint, folder_digest, weights_version
from prefrun.policy.policy import LoadedModel
from prefrun_simulpl.component_config import SimtModelConfig
from prefrun_simulpl.vocabulary import END_ID, PAD_ID, START_ID, learn_subwords, new_tokenizer


class SimtConfig(LlamaConfig):
    """Llama's keys; beside them `trained_for`, the read/write policy of the training, {} = none."""

    model_type = "simt"
    trained_for: dict[str, Any] | None = None


class SimtForCausalLM(LlamaForCausalLM):
    """A Llama that reads source and target in one row.

    Source and target have their own positions and an embedding of their side. Which places see
    which is given as a mask, so the states after every prefix of the source come from one pass.
    Called as any causal language model it is one, without sides.
    """

    config_class = SimtConfig

    def __init__(self, config: SimtConfig) -> None:
        super().__init__(config)
        self.sides = nn.Embedding(2, config.hidden_size)
        self.confidence = nn.Linear(config.hidden_size, 1)
        self.post_init()

    def states(
        self, ids: Tensor, is_target: Tensor, positions: Tensor, seen: Tensor, cache: Any = None
    ) -> Tensor:
        """Return the last hidden states [B, L, H] of L new places.

        ids, is_target, positions: [B, L]; seen: [B, L, P + L] bool, P the places in CACHE, a
        transformers cache that the new ones are added to.
        """
        embedded = self.get_input_embeddings()(ids) + self.sides(is_target.long())
        output = self.model(
            inputs_embeds=embedded,
            attention_mask=seen.unsqueeze(1),
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        hidden: Tensor = output.last_hidden_state
        return hidden


class SimtModel:
    """The component behind `model=simt`."""

    card = """
    A small Llama for simultaneous translation, trained from scratch by algo=simulpl, which also
    learns its subwords from the training records (byte-pair encoding, both languages together).
    Source and target are one row of a decoder: source places see the source before them, a target
    place sees the source words read so far and the target before it. A READ adds keys and values to
    the cache and changes none. A linear head on the hidden state gives the confidence to write.
    """

    def __init__(self, config: SimtModelConfig) -> None:
        """Raises ConfigError where `model.path` holds no model."""
        self.config = config
        if (
            config.path is not None
            and not (Path(config.path).expanduser() / "config.json").exists()
        ):
            raise ConfigError(
                f"model.path={config.path}: there is no such folder, or it holds no config.json\n"
                "  remedy: give a folder such as RUN/model of a run with model=simt"
            )

    def load(self) -> LoadedModel:
        """Load the trained model, or make one that knows nothing. Raises ConfigError."""
        device = chosen_device(self.config.device, "model.device")
        if self.config.path is None:
            model, tokenizer, digest = self._fresh(), new_tokenizer(), None
        else:
            folder = Path(self.config.path).expanduser()
            model, tokenizer = _read(folder)
            digest = folder_digest(folder)
        model.to(device)
        model.eval()
        name = "simt" if self.config.path is None else Path(self.config.path).absolute().name
        return LoadedModel(
            model, tokenizer, name, fingerprint(model, digest), weights_version(model)
        )

    def _fresh(self) -> SimtForCausalLM:
        """The same weights each time, as a start model has; training draws its own."""
        keys = self.config
        config = SimtConfig(
            vocab_size=keys.vocabulary,
            hidden_size=keys.hidden_size,
            intermediate_size=3 * keys.hidden_size,
            num_hidden_layers=keys.layers,
            num_attention_heads=keys.heads,
            num_key_value_heads=keys.heads,
            tie_word_embeddings=True,
            initializer_range=0.05,
            attention_dropout=0.0,
            pad_token_id=PAD_ID,
            bos_token_id=START_ID,
            eos_token_id=END_ID,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return SimtForCausalLM(config)


def learn_vocabulary(loaded: LoadedModel, texts: list[str], seed: int) -> None:
    """Learn LOADED's subwords from TEXTS, and draw its weights anew, all in place.

    The model's vocabulary size is the largest number of subwords; it becomes their number.
    """
    model: SimtForCausalLM = loaded.model
    learn_subwords(loaded.tokenizer.backend_tokenizer, texts, model.config.vocab_size)
    torch.manual_seed(seed)
    model.resize_token_embeddings(len(loaded.tokenizer), mean_resizing=False)
    scale = model.config.initializer_range
    for name, value in model.named_parameters():
        if value.dim() > 1:
            nn.init.normal_(value, std=scale)
        elif name.endswith("bias"):
            nn.init.zeros_(value)


def translation_model(loaded: LoadedModel, needed_by: str) -> SimtForCausalLM:
    """Return LOADED's model. Raises ConfigError where it is of another kind."""
    if not isinstance(loaded.model, SimtForCausalLM):
        raise ConfigError(
            f"{needed_by} needs a model that translates while it reads, and '{loaded.name}' is a "
            f"{type(loaded.model).__name__}\n  remedy: model=simt"
        )
    return loaded.model


def _read(folder: Path) -> tuple[SimtForCausalLM, Any]:
    try:
        with no_progress_bar():
            model = SimtForCausalLM.from_pretrained(folder, dtype=torch.float32)
        return model, PreTrainedTokenizerFast.from_pretrained(folder)
    except Exception as error:  # safetensors and tokenizers have exceptions of their own
        raise ConfigError(
            f"model.path={folder} cannot be loaded: {first_sentence(error)}\n"
            "  remedy: give a folder such as RUN/model of a run with model=simt"
        ) from error
