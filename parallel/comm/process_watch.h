#pragma once

namespace boostr {

/// Notices that another process of this host has ended.
class ProcessWatch {
 public:
  /// Watches the process as long as this lives; never notices anything where the system does not let
  /// it (it needs Linux 5.3, and to see the process by that number).
  explicit ProcessWatch(int process);
  ~ProcessWatch();
  ProcessWatch(ProcessWatch&& other) noexcept;
  ProcessWatch& operator=(ProcessWatch&&) = delete;

  bool has_ended() const;

 private:
  int descriptor_ = -1;
};

}  // namespace boostr
