#include "api/machine_file.h"

#include <charconv>
#include <filesystem>

#include <toml++/toml.h>

#include "machine/platform.h"

namespace pollux::api {

namespace {

std::unexpected<Error> usage(std::string sentence) { return fail(ErrorKind::kUsage, std::move(sentence)); }

// Where in the file a complaint belongs: "machine.toml:3:7: ".
std::string place(const std::string& path, const toml::source_region& source) {
  return path + ":" + std::to_string(source.begin.line) + ":" + std::to_string(source.begin.column) + ": ";
}

class Reader {
 public:
  Reader(const std::string& path, RunOptions& options) : path_(path), options_(options) {}

  // One key of the file. Unknown keys are errors: a misspelt key must not be silently without effect.
  Result<void> key(std::string_view name, const toml::node& value) {
    MachineOptions& machine = options_.machine;
    if (name == "name") return text(name, value, machine.name);
    if (name == "kernel") return text(name, value, machine.kernel);
    if (name == "initrd") return text(name, value, machine.initrd);
    if (name == "append") return text(name, value, machine.append);
    if (name == "engine") {
      return parsed(name, value, parse_engine, [&](std::string engine) { options_.engine = std::move(engine); });
    }
    if (name == "record") return text(name, value, options_.record);
    if (name == "console") return text(name, value, options_.console);
    if (name == "backup") return text(name, value, options_.pair.peer);
    if (name == "arbiter") return text(name, value, options_.pair.arbiter_dir);
    if (name == "key") return text(name, value, options_.pair.key_file);
    if (name == "cert") return text(name, value, options_.pair.certificate);
    if (name == "cert-key") return text(name, value, options_.pair.certificate_key);
    if (name == "ca") return text(name, value, options_.pair.authority);
    if (name == "plain-text") return flag(name, value, options_.pair.plain_text);
    if (name == "timeout-ms") return milliseconds(name, value, options_.pair.timeout_ms);
    if (name == "memory") return parsed(name, value, parse_size, [&](u64 bytes) { machine.memory_bytes = bytes; });
    if (name == "cpus") return cpus(value);
    if (name == "disk") {
      return each(name, value, parse_disk, [&](DiskOption disk) { machine.disks.push_back(std::move(disk)); });
    }
    if (name == "net") {
      return each(name, value, parse_net, [&](NetOption net) { machine.nets.push_back(std::move(net)); });
    }
    if (name == "clock") {
      return parsed(name, value, parse_clock, [&](ClockKind clock) { machine.clock = clock; });
    }
    return usage(place(path_, value.source()) + "a machine file has no key '" + std::string(name) +
                 "'; see docs/howto/run-a-guest.md for the keys");
  }

 private:
  static Result<std::string> parse_engine(const std::string& text) {
    std::string names;
    for (const std::string& engine : kEngines) {
      if (text == engine) return text;
      names += (names.empty() ? "'" : " or '") + engine + "'";
    }
    return usage("engine is " + names + ", not '" + text + "'");
  }

  static Result<ClockKind> parse_clock(const std::string& text) {
    if (text == "host") return ClockKind::kHost;
    if (text == "virtual") return ClockKind::kVirtual;
    return usage("clock is 'host' or 'virtual', not '" + text + "'");
  }

  // A number, with or without quotes.
  Result<void> cpus(const toml::node& value) {
    std::string word;
    if (const auto* number = value.as_integer()) {
      word = std::to_string(number->get());
    } else if (const auto* quoted = value.as_string()) {
      word = quoted->get();
    } else {
      return usage(place(path_, value.source()) + "cpus wants a number");
    }
    const auto count = parse_cpus(word);
    if (!count) return usage(place(path_, value.source()) + count.error().sentence);
    options_.machine.cpus = *count;
    return {};
  }

  Result<void> text(std::string_view name, const toml::node& value, std::string& into) {
    const auto* string = value.as_string();
    if (!string) return usage(place(path_, value.source()) + std::string(name) + " wants a text in quotes");
    into = string->get();
    return {};
  }

  Result<void> flag(std::string_view name, const toml::node& value, bool& into) {
    const auto* boolean = value.as_boolean();
    if (!boolean) return usage(place(path_, value.source()) + std::string(name) + " is true or false");
    into = boolean->get();
    return {};
  }

  Result<void> milliseconds(std::string_view name, const toml::node& value, u32& into) {
    const auto* number = value.as_integer();
    if (!number || number->get() < kShortestTimeoutMs || number->get() > kLongestTimeoutMs) {
      return usage(place(path_, value.source()) + std::string(name) + " is a number from " +
                   std::to_string(kShortestTimeoutMs) + " to " + std::to_string(kLongestTimeoutMs));
    }
    into = u32(number->get());
    return {};
  }

  template <class Parse, class Take>
  Result<void> parsed(std::string_view name, const toml::node& value, Parse parse, Take take) {
    std::string word;
    if (auto is_text = text(name, value, word); !is_text) return pass(is_text);
    auto result = parse(word);
    if (!result) return usage(place(path_, value.source()) + result.error().sentence);
    take(std::move(*result));
    return {};
  }

  template <class Parse, class Take>
  Result<void> each(std::string_view name, const toml::node& value, Parse parse, Take take) {
    const toml::array* list = value.as_array();
    if (!list) return parsed(name, value, parse, take);
    for (const toml::node& item : *list) {
      if (auto done = parsed(name, item, parse, take); !done) return pass(done);
    }
    return {};
  }

  const std::string& path_;
  RunOptions& options_;
};

}  // namespace

Result<RunOptions> read_machine_file(const std::string& path, RunOptions options) {
  // Read as a file, a folder would be an empty one.
  if (std::error_code unknown; std::filesystem::is_directory(path, unknown)) {
    return usage("the machine file " + path + " is a folder: name a file");
  }
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    if (error.source().begin.line == 0) {
      return usage("the machine file " + path + " cannot be read: " + std::string(error.description()));
    }
    return usage(place(path, error.source()) + std::string(error.description()));
  }
  Reader reader(path, options);
  for (const auto& [name, value] : table) {
    if (auto done = reader.key(name.str(), value); !done) return pass(done);
  }
  return options;
}

Result<u64> parse_size(const std::string& text) {
  u64 value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  unsigned shift = 0;
  const std::string_view suffix(rest, end);
  if (suffix == "K") shift = 10;
  else if (suffix == "M") shift = 20;
  else if (suffix == "G") shift = 30;
  else if (!suffix.empty()) shift = 64;
  if (error != std::errc() || shift == 64 || (shift && value >> (64 - shift))) {
    return usage("a size is a number with K, M or G behind it, such as 512M; not '" + text + "'");
  }
  return value << shift;
}

Result<u32> parse_cpus(const std::string& text) {
  u32 value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || value < 1 || value > machine::platform::kMaxCpus) {
    return usage("cpus is a number from 1 to " + std::to_string(machine::platform::kMaxCpus) + ", not '" + text + "'");
  }
  return value;
}

Result<DiskOption> parse_disk(const std::string& text) {
  DiskOption disk{.path = text};
  if (text.ends_with(",ro")) disk = {.path = text.substr(0, text.size() - 3), .read_only = true};
  if (disk.path.empty()) return usage("a disk is PATH or PATH,ro; the path is empty");
  return disk;
}

Result<NetOption> parse_net(const std::string& text) {
  NetOption net;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, comma - at);
    const std::size_t equals = part.find('=');
    const std::string name = part.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : part.substr(equals + 1);
    if (value.empty()) return usage("a network is switch=SOCKET or tap=IFNAME, then ,mac=..; not '" + text + "'");
    if (name == "switch" || name == "tap") {
      net.kind = name == "tap" ? NetKind::kTap : NetKind::kSwitch;
      net.target = value;
    } else if (name == "mac") {
      net.mac = value;
    } else {
      return usage("a network has no '" + name + "'; it is switch=SOCKET or tap=IFNAME, then ,mac=..");
    }
    at = comma + 1;
  }
  if (net.target.empty()) return usage("a network names switch=SOCKET or tap=IFNAME; '" + text + "' names neither");
  return net;
}

}  // namespace pollux::api
