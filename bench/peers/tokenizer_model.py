"""The categorical tokenizer in PyTorch, written as one would write it for speed: partial decoders over
their own columns, layers of equal sizes in one batched product, distances in the form that is fastest, no
synchronisation, fused Adam. Imported once the number of threads is set."""
import math

import torch
from torch.nn import functional as F

from timing import counted

ROWS, DECAY, EPSILON, DROPOUT = 8192, 0.99, 1e-5, 0.1
WEIGHTS = {"commitment": 0.25, "informativeness": 0.1, "orthogonality": 0.1, "topographic": 0.3}


def correlation(a, b):
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm() + 1e-8)


def gram_distances(z):
    """cdist by one product whose gradient is two; 0 where rows are equal up to rounding."""
    square = z.square().sum(-1)
    return (square.unsqueeze(-1) + square.unsqueeze(-2) - 2 * z @ z.transpose(-1, -2)).clamp_min(1e-12).sqrt()


def cdist(z):
    return torch.cdist(z, z)


# How distances are computed, and whether codebooks of all sizes are padded to one batch for them.
FORMS = [(cdist, False), (cdist, True), (gram_distances, False), (gram_distances, True)]
FASTEST = (cdist, False)


def chosen(latents, codebook):
    """Nearest codes of [.., rows, d] in [.., codes, d]."""
    scores = codebook.square().sum(-1).unsqueeze(-2) - 2 * latents @ codebook.transpose(-1, -2)
    return scores.argmin(-1)


class Peer(torch.nn.Module):
    """Common to both forms: parameters, encoder, the shared decoder, Adam."""

    def __init__(self, model, own_columns, batch=1024):
        super().__init__()
        self.batch_size = batch
        torch.manual_seed(0)
        linear = torch.nn.Linear
        self.features, self.levels = model["features"], model["levels"]
        hidden, embedding, total = model["hidden"], model["embedding"], sum(self.features)
        self.first = [linear(n, hidden) for n in self.features]
        # Layers of one size for all categories: one batched product.
        self.second = torch.nn.Parameter(torch.empty(len(self.features), hidden, embedding))
        self.second_bias = torch.nn.Parameter(torch.zeros(len(self.features), 1, embedding))
        torch.nn.init.kaiming_uniform_(self.second, a=math.sqrt(5))
        self.norm_gain = torch.nn.Parameter(torch.ones(len(self.features), 1, embedding))
        self.norm_shift = torch.nn.Parameter(torch.zeros(len(self.features), 1, embedding))
        self.dims = [d for levels in self.levels for d, _ in levels]
        self.sizes = [c for levels in self.levels for _, c in levels]
        self.heads = [linear(embedding, sum(d for d, _ in levels)) for levels in self.levels]
        self.norms = [torch.nn.LayerNorm(d) for d in self.dims]
        self.decoder = torch.nn.Sequential(linear(sum(self.dims), 256), torch.nn.ReLU(),
                                           torch.nn.Dropout(DROPOUT), linear(256, total))
        columns = [n if own_columns else total for n in self.features for _ in range(3)]
        self.parts = [torch.nn.Sequential(linear(d, 128), torch.nn.ReLU(), linear(128, n))
                      for d, n in zip(self.dims, columns)]
        for i, module in enumerate(self.first + self.heads + self.norms + self.parts):
            self.add_module(f"module{i}", module)
        starts = [0]
        for n in self.features:
            starts.append(starts[-1] + n)
        self.columns = [slice(a, b) for a, b in zip(starts, starts[1:])]
        self.books = [torch.randn(c, d) for c, d in zip(self.sizes, self.dims)]
        self.counts = [torch.full((c,), batch / c) for c in self.sizes]
        self.sums = [n[:, None] * e for n, e in zip(self.counts, self.books)]
        categories = len(self.features)
        factors = torch.rand(ROWS, categories, 3) * 2 - 1
        mix = torch.rand(total, 3) * 2 - 1
        own = torch.repeat_interleave(torch.arange(categories), torch.tensor(self.features))
        self.data = (factors[:, own] * mix).sum(-1) + 0.3 * (torch.rand(ROWS, total) * 2 - 1)
        self.adam = torch.optim.Adam(self.parameters(), lr=1e-3, fused=True)

    def encode(self, x):
        h = torch.stack([layer(x[:, c]) for layer, c in zip(self.first, self.columns)])
        e = torch.baddbmm(self.second_bias, F.dropout(F.relu(h), DROPOUT), self.second)
        e = F.layer_norm(e, e.shape[-1:]) * self.norm_gain + self.norm_shift
        latents = []
        for k, levels in enumerate(self.levels):
            parts = F.dropout(self.heads[k](e[k]), DROPOUT).split([d for d, _ in levels], -1)
            latents += [self.norms[3 * k + i](part) for i, part in enumerate(parts)]
        return latents

    def smooth(self, q, counts, sums):
        """One running average and the codes it gives (van den Oord et al. 2017, appendix A.1)."""
        self.counts[q].mul_(DECAY).add_(counts, alpha=1 - DECAY)
        self.sums[q].mul_(DECAY).add_(sums, alpha=1 - DECAY)
        total = self.counts[q].sum()
        smoothed = (self.counts[q] + EPSILON) / (total + self.sizes[q] * EPSILON) * total
        self.books[q] = self.sums[q] / smoothed[:, None]

    def batch(self):
        return self.data[torch.randint(ROWS, (self.batch_size,), device=self.data.device)]

    def step(self):
        loss = self.loss(self.batch())
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters(), 1.0, foreach=True)
        self.adam.step()
        self.update()


class Fast(Peer):
    def __init__(self, model, form=FASTEST, batch=1024):
        super().__init__(model, own_columns=True, batch=batch)
        self.distances, self.padded = form

    def padded_stack(self, parts):
        """[quantizers, rows, widest]; columns of 0 change no distance."""
        widest = max(self.dims)
        return torch.stack([F.pad(part, (0, widest - part.shape[-1])) for part in parts])

    def mean_distances(self, parts):
        if self.padded:
            return self.distances(self.padded_stack(parts)).mean(0)
        total = self.distances(parts[0])
        for part in parts[1:]:
            total = total + self.distances(part)
        return total / len(parts)

    def loss(self, x):
        latents, x = self.encode(x), x.detach()
        with torch.no_grad():
            self.codes = [chosen(z, e) for z, e in zip(latents, self.books)]
            hard = [e[c] for e, c in zip(self.books, self.codes)]
        self.latents = [z.detach() for z in latents]
        passed = [z + (q - z).detach() for z, q in zip(latents, hard)]
        loss = F.mse_loss(self.decoder(torch.cat(passed, -1)), x)
        commitment = sum(F.mse_loss(z, q) for z, q in zip(latents, hard)) / len(hard)
        partial = sum(F.mse_loss(part(q), x[:, self.columns[i // 3]], reduction="sum")
                      for i, (part, q) in enumerate(zip(self.parts, passed)))
        with torch.no_grad():
            normal = [F.normalize(e, dim=-1) for e in self.books]
            squares = [(e @ e.t()).square() for e in normal]
            orthogonality = sum((s.sum() - s.diagonal().sum()) / (len(s) * (len(s) - 1))
                                for s in squares) / len(squares)
        between = self.mean_distances(latents)
        pre = correlation(cdist(x), between)
        post = correlation(between, self.mean_distances(passed))
        return (loss + WEIGHTS["commitment"] * commitment
                + WEIGHTS["informativeness"] * partial / (3 * x.numel())
                + WEIGHTS["orthogonality"] * orthogonality
                + WEIGHTS["topographic"] * (0.3 * (1 - pre) + 0.7 * (1 - post)))

    @torch.no_grad()
    def update(self):
        for q, (codes, z) in enumerate(zip(self.codes, self.latents)):
            sums = torch.zeros_like(self.sums[q]).index_add_(0, codes, z)
            self.smooth(q, counted(torch, codes, self.sizes[q]), sums)
