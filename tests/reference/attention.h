#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "kernels/kernel_table.h"

/// Attention in doubles, one query at a time, with the mask spelled out.
namespace boostr::reference {

struct AttentionInput {
  std::int64_t batch, sequence, heads, groups, dim;
  AttentionOptions options;
  std::vector<double> q, k, v;    ///< [B, S, H, D], [B, S, G, D]
  std::vector<double> documents;  ///< [B, S], or empty

  bool visible(std::int64_t b, std::int64_t query, std::int64_t key) const {
    if (options.causal && key > query) return false;
    if (options.window > 0 && key <= query - options.window) return false;
    return documents.empty() || documents[b * sequence + query] == documents[b * sequence + key];
  }
  std::int64_t query_row(std::int64_t b, std::int64_t s, std::int64_t h) const {
    return ((b * sequence + s) * heads + h) * dim;
  }
  /// The row of k and v that query head h uses.
  std::int64_t key_row(std::int64_t b, std::int64_t s, std::int64_t h) const {
    return ((b * sequence + s) * groups + h / (heads / groups)) * dim;
  }
};

inline double dot(const std::vector<double>& a, std::int64_t i, const std::vector<double>& b,
                  std::int64_t j, std::int64_t n) {
  double sum = 0;
  for (std::int64_t d = 0; d < n; ++d) sum += a[i + d] * b[j + d];
  return sum;
}

/// Calls body(b, h, query) for every row of the scores.
template <class Body>
void for_each_query(const AttentionInput& in, Body&& body) {
  for (std::int64_t b = 0; b < in.batch; ++b)
    for (std::int64_t h = 0; h < in.heads; ++h)
      for (std::int64_t i = 0; i < in.sequence; ++i) body(b, h, i);
}

/// scale q k^T of one query with every key; -inf where it sees none.
inline std::vector<double> scores(const AttentionInput& in, std::int64_t b, std::int64_t h,
                                  std::int64_t i) {
  std::vector<double> s(in.sequence, -std::numeric_limits<double>::infinity());
  for (std::int64_t j = 0; j < in.sequence; ++j) {
    if (!in.visible(b, i, j)) continue;
    s[j] = in.options.scale * dot(in.q, in.query_row(b, i, h), in.k, in.key_row(b, j, h), in.dim);
  }
  return s;
}

inline double log_sum_exp(const std::vector<double>& s) {
  const double peak = *std::max_element(s.begin(), s.end());
  double sum = 0;
  for (double x : s) sum += std::exp(x - peak);
  return peak + std::log(sum);
}

struct AttentionOutput {
  std::vector<double> out, lse;
};
inline AttentionOutput attention(const AttentionInput& in) {
  AttentionOutput result{std::vector<double>(in.q.size()),
                         std::vector<double>(in.batch * in.heads * in.sequence)};
  for_each_query(in, [&](std::int64_t b, std::int64_t h, std::int64_t i) {
    const std::vector<double> s = scores(in, b, h, i);
    const double lse = log_sum_exp(s);
    result.lse[(b * in.heads + h) * in.sequence + i] = lse;
    for (std::int64_t j = 0; j < in.sequence; ++j) {
      if (!in.visible(b, i, j)) continue;
      const double p = std::exp(s[j] - lse);
      for (std::int64_t d = 0; d < in.dim; ++d)
        result.out[in.query_row(b, i, h) + d] += p * in.v[in.key_row(b, j, h) + d];
    }
  });
  return result;
}

struct AttentionGradients {
  std::vector<double> dq, dk, dv;
};
/// dv = p^T dout, dp = dout v^T, ds = p (dp - sum(p dp)), dq = scale ds k, dk = scale ds^T q.
inline AttentionGradients attention_grad(const AttentionInput& in,
                                         const std::vector<double>& dout) {
  AttentionGradients result{std::vector<double>(in.q.size()), std::vector<double>(in.k.size()),
                            std::vector<double>(in.k.size())};
  for_each_query(in, [&](std::int64_t b, std::int64_t h, std::int64_t i) {
    const std::vector<double> s = scores(in, b, h, i);
    const double lse = log_sum_exp(s);
    const std::int64_t query = in.query_row(b, i, h);
    std::vector<double> p(in.sequence), dp(in.sequence);
    double delta = 0;
    for (std::int64_t j = 0; j < in.sequence; ++j) {
      if (!in.visible(b, i, j)) continue;
      p[j] = std::exp(s[j] - lse);
      dp[j] = dot(dout, query, in.v, in.key_row(b, j, h), in.dim);
      delta += p[j] * dp[j];
    }
    for (std::int64_t j = 0; j < in.sequence; ++j) {
      if (!in.visible(b, i, j)) continue;
      const std::int64_t key = in.key_row(b, j, h);
      const double ds = in.options.scale * p[j] * (dp[j] - delta);
      for (std::int64_t d = 0; d < in.dim; ++d) {
        result.dv[key + d] += p[j] * dout[query + d];
        result.dq[query + d] += ds * in.k[key + d];
        result.dk[key + d] += ds * in.q[query + d];
      }
    }
  });
  return result;
}

}  // namespace boostr::reference
