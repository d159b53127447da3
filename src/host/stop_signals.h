// SIGINT, SIGTERM and SIGHUP as an event that stops, SIGPWR as one that presses the power button. The first asks the machine to stop in order; the handler stays, so that a
// second one does the same and a hasty operator breaks nothing (SIGKILL is there for the rest). Also ignores SIGPIPE
// and SIGXFSZ for the process: a reader that went away and a file at its limit are errors of the write, not deaths.
#pragma once

#include <functional>

#include "host/reactor.h"

namespace pollux::host {

class StopSignals final : public Source {
 public:
  StopSignals(std::function<void()> stop, std::function<void()> power_button);  // at most one exists at a time
  ~StopSignals() override;
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  pollfd interest() override;
  void ready(short events) override;

 private:
  std::function<void()> stop_;
  std::function<void()> power_button_;
};

void ignore_write_signals();

}  // namespace pollux::host
