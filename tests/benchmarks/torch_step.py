"""One PyTorch training process of the GPT-2-124M-sized LLaMA that step.py trains, for comparison.

Prints one JSON object: milliseconds of every step, seconds from the start of the process to the
first step, peak resident bytes, and the last loss.
"""
import time

START = time.time()
import argparse
import json
import resource

import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY, HIDDEN, LAYERS, HEADS, INTERMEDIATE = 50304, 768, 12, 12, 2048
HEAD_DIM = HIDDEN // HEADS


class RmsNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x):
        return F.rms_norm(x, (HIDDEN,), self.weight, 1e-5)


class Rope(nn.Module):
    def __init__(self, length):
        super().__init__()
        frequency = 10000.0 ** (-torch.arange(0, HEAD_DIM, 2, dtype=torch.float32) / HEAD_DIM)
        angle = torch.arange(length, dtype=torch.float32)[:, None] * frequency
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, x):
        first, second = x.chunk(2, dim=-1)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class Layer(nn.Module):
    def __init__(self, rope):
        super().__init__()
        self.rope = rope
        self.attention_norm, self.mlp_norm = RmsNorm(), RmsNorm()
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN, bias=False)
        self.out = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.gate_up = nn.Linear(HIDDEN, 2 * INTERMEDIATE, bias=False)
        self.down = nn.Linear(INTERMEDIATE, HIDDEN, bias=False)

    def attention(self, x):
        batch, length, _ = x.shape
        heads = self.qkv(x).view(batch, length, 3, HEADS, HEAD_DIM).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)
        seen = F.scaled_dot_product_attention(self.rope(query), self.rope(key), value,
                                              is_causal=True)
        return self.out(seen.transpose(1, 2).reshape(batch, length, HIDDEN))

    def mlp(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class Llama(nn.Module):
    def __init__(self, length):
        super().__init__()
        rope = Rope(length)
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.layers = nn.ModuleList(Layer(rope) for _ in range(LAYERS))
        self.norm = RmsNorm()
        self.head = nn.Linear(HIDDEN, VOCABULARY, bias=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids, targets):
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x)
        logits = self.head(self.norm(x)).view(-1, VOCABULARY)
        return F.cross_entropy(logits.float(), targets.view(-1))


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--sequence", type=int, required=True)
    parser.add_argument("--precision", choices=["f32", "bf16"], required=True)
    parser.add_argument("--mode", choices=["eager", "compiled"], required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    return parser.parse_args()


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1234)
    model = Llama(options.sequence)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, betas=(0.9, 0.95),
                                  weight_decay=0.1, fused=True)
    forward = torch.compile(model) if options.mode == "compiled" else model
    shape = (options.batch, options.sequence)
    ready = time.time()
    milliseconds = []
    for _ in range(options.steps):
        ids, targets = (torch.randint(0, VOCABULARY, shape) for _ in range(2))
        begin = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            loss = forward(ids, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        milliseconds.append(1e3 * (time.perf_counter() - begin))
    print(json.dumps({
        "milliseconds": milliseconds,
        "start_up": ready - START,
        "peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "loss": loss.item(),
        "version": torch.__version__,
    }))


if __name__ == "__main__":
    main()
