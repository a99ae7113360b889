#!/usr/bin/env python3
"""Makes tests/models/fixtures/*.h5: small LLaMA-family models as computed by the reference implementation in f64.

Run by hand; the tests need no Python:
    pip install torch==2.15.0 transformers==5.23.0 h5py==3.16.0 numpy
    python3 tests/reference/make_fixtures.py

Each file holds the configuration (attribute `config`, JSON with boostr's keys), tokens, logits, the mean loss, the gradient
of every parameter, and five AdamW steps on the same batch with clipping: losses, gradient norms, and the weights after.
As shipped, transformers computes norms, rotary tables, softmax and loss in f32 (about 1e-7 off). patch_to_f64 makes those f64;
the unpatched model is checked to agree to 1e-5.
"""
import json
import pathlib

import h5py
import torch
import transformers

BATCH, SEQ, VOCAB = 2, 13, 31
OPTIMIZER = {"lr": 3e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weight_decay": 0.1, "max_norm": 1.0, "steps": 5}

BASE = dict(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            head_dim=8, intermediate_size=24, rope_theta=10000.0, rms_norm_eps=1e-5, tie_word_embeddings=False)

LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)
YARN = dict(rope_type="yarn", factor=4.0, beta_fast=32.0, beta_slow=1.0, original_max_position_embeddings=32)

# name: (transformers' model class, boostr's keys that differ from BASE)
VARIANTS = {
    "llama": ("Llama", {}),
    "llama_mha": ("Llama", dict(num_key_value_heads=4)),
    "llama_mqa": ("Llama", dict(num_key_value_heads=1)),
    "llama3_scaling": ("Llama", dict(rope_theta=500.0, rope_scaling=LLAMA3)),
    "yarn": ("Llama", dict(rope_theta=500.0, rope_scaling=YARN)),
    "yarn_factor": ("Llama", dict(rope_scaling={**YARN, "attention_factor": 1.5})),
    "linear_scaling": ("Llama", dict(rope_scaling=dict(rope_type="linear", factor=2.5))),
    "tied": ("Llama", dict(tie_word_embeddings=True)),
    "biases": ("Llama", dict(attention_bias=True, mlp_bias=True)),
    "gelu": ("Llama", dict(hidden_act="gelu")),
    "gelu_tanh": ("Llama", dict(hidden_act="gelu_pytorch_tanh")),
    "qwen2": ("Qwen2", dict(attention_bias=True, attention_out_bias=False, tie_word_embeddings=True)),
    "qwen3": ("Qwen3", dict(qk_norm=True)),
    "mistral": ("Mistral", dict(sliding_window=5)),
}


def reference_config(kind, keys):
    ours_only = {"qk_norm", "attention_out_bias", "rope_scaling", "rope_theta"}
    settings = {k: v for k, v in {**BASE, **keys}.items() if k not in ours_only}
    if kind == "Qwen2":
        settings.pop("attention_bias", None)
    theta = keys.get("rope_theta", BASE["rope_theta"])
    scaling = keys.get("rope_scaling", {"rope_type": "default"})
    config = getattr(transformers, kind + "Config")(
        **settings, rope_parameters={**scaling, "rope_theta": theta}, max_position_embeddings=256,
        attn_implementation="eager", use_cache=False)
    assert config.rope_parameters["rope_theta"] == theta, config.rope_parameters
    return config


class patch_to_f64:
    """While active, what transformers asks for in f32 is computed in f64."""

    def __enter__(self):
        self.saved = torch.float32, torch.float, torch.Tensor.float
        torch.float32 = torch.float = torch.float64
        torch.Tensor.float = torch.Tensor.double

    def __exit__(self, *_):
        torch.float32, torch.float, torch.Tensor.float = self.saved


def random_weights(model, generator):
    with torch.no_grad():
        for name, p in model.named_parameters():
            scale, mean = (0.1, 1.0) if "norm" in name else (0.3, 0.0)
            p.copy_(mean + scale * torch.randn(p.shape, generator=generator, dtype=torch.float64))


def loss_of(model, ids, targets):
    logits = model(input_ids=ids).logits
    return logits, torch.nn.functional.cross_entropy(logits.view(-1, VOCAB), targets.view(-1))


def build(kind, config):
    model = getattr(transformers, kind + "ForCausalLM")(config)
    for module in model.modules():  # model.to() would round the f64 frequencies' f32 origin; keep what was computed
        if hasattr(module, "inv_freq"):
            module.kept = module.inv_freq.clone()
    model.to(torch.float64)
    for module in model.modules():
        if hasattr(module, "kept"):
            module.inv_freq = module.kept
    return model


def write(group, named):
    for name, tensor in named:
        group.create_dataset(name, data=tensor.detach().numpy())


def make(name, kind, keys, folder):
    generator = torch.Generator().manual_seed(sum(map(ord, name)))
    config = reference_config(kind, keys)
    tokens = torch.randint(0, VOCAB, (BATCH, SEQ + 1), generator=generator)
    ids, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()
    shipped = build(kind, config)
    random_weights(shipped, generator)
    with patch_to_f64():
        model = build(kind, config)
        model.load_state_dict(shipped.state_dict())
        model.tie_weights()
        logits, loss = loss_of(model, ids, targets)
        loss.backward()
    shipped_logits, shipped_loss = loss_of(shipped, ids, targets)
    worst = (shipped_logits - logits).abs().max().item()
    assert worst < 1e-5 * logits.abs().max().item() + 1e-5, (name, worst)
    assert abs(shipped_loss.item() - loss.item()) < 1e-5, name

    with h5py.File(folder / f"{name}.h5", "w") as file:
        file.attrs["config"] = json.dumps({**BASE, **keys})
        file.attrs["optimizer"] = json.dumps(OPTIMIZER)
        file.attrs["made_with"] = f"torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}"
        file["input_ids"], file["targets"] = ids.int().numpy(), targets.int().numpy()
        file["logits"], file["loss"] = logits.detach().numpy(), loss.item()
        write(file.create_group("parameters"), model.named_parameters())
        write(file.create_group("gradients"), ((n, p.grad) for n, p in model.named_parameters()))
        train(model, ids, targets, file)
    print(f"{name}: loss {loss.item():.12f}, shipped f32 parts differ by {worst:.1e}")


def train(model, ids, targets, file):
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    o = OPTIMIZER
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": o["weight_decay"]},
                                   {"params": others, "weight_decay": 0.0}],
                                  lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"], foreach=False)
    losses, norms = [], []
    for _ in range(o["steps"]):
        optimizer.zero_grad()
        with patch_to_f64():
            _, loss = loss_of(model, ids, targets)
            loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), o["max_norm"], foreach=False).item())
        optimizer.step()
        losses.append(loss.item())
    file["losses"], file["grad_norms"] = losses, norms
    write(file.create_group("updated"), model.named_parameters())


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "models" / "fixtures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, (kind, keys) in VARIANTS.items():
        make(name, kind, keys, folder)


if __name__ == "__main__":
    main()
