#include "host/console.h"

namespace pollux::host {
namespace {

class NoConsole final : public Console {
 public:
  void write(ByteSpan) override {}
  std::vector<Source*> sources() override { return {}; }
};

}  // namespace

Result<std::unique_ptr<Console>> make_console(const std::string& choice, ConsoleSinks sinks) {
  constexpr std::string_view kUnix = "unix:";
  if (choice.empty()) return make_standard_console(std::move(sinks));
  if (choice == "none") return std::make_unique<NoConsole>();
  if (choice.starts_with(kUnix)) return make_socket_console(choice.substr(kUnix.size()), std::move(sinks));
  return fail(ErrorKind::kUsage, "'" + choice + "' is not a console: write unix:PATH or none, or leave the option out");
}

}  // namespace pollux::host
