// The command line of Pollux. Options are read here, everything else happens in api/.

#include <cstdio>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>

#include "api/commands.h"
#include "api/image.h"
#include "api/machine_file.h"
#include "api/switch.h"
#include "host/breakdown.h"

namespace {

using namespace pollux;
using namespace pollux::api;

int complain(const Error& error, bool json) {
  std::fprintf(stderr, "pollux: %s\n", error.sentence.c_str());
  const ExitCode code = exit_code(error.kind);
  if (json) std::printf("%s\n", Report{.code = code, .why = error.sentence}.json().c_str());
  return static_cast<int>(code);
}

int leave(const Result<Report>& report, bool json) {
  if (!report) return complain(report.error(), json);
  std::fprintf(stderr, "%s\n", report->line().c_str());
  if (json) std::printf("%s\n", report->json().c_str());
  return static_cast<int>(report->code);
}

// Words of options that have a shape of their own, as typed.
struct Shaped {
  std::string machine_file, memory, cpus, clock;
  std::vector<std::string> disks, nets;
};

template <class Option>
Result<void> parse_all(const std::vector<std::string>& words, Result<Option> (*parse)(const std::string&),
                       std::vector<Option>& into) {
  if (!words.empty()) into.clear();
  for (const std::string& word : words) {
    auto option = parse(word);
    if (!option) return pass(option);
    into.push_back(std::move(*option));
  }
  return {};
}

void add_pair_options(CLI::App& command, PairOptions& pair) {
  command.add_option("--arbiter", pair.arbiter_dir, "directory on storage that both hosts share; decides who lives");
  command.add_option("--key", pair.key_file, "the cluster's key file (make one with: pollux key FILE)");
  command.add_option("--cert", pair.certificate, "instead of --key: this host's certificate (pollux certificate)");
  command.add_option("--cert-key", pair.certificate_key, "the certificate's private key");
  command.add_option("--ca", pair.authority, "the authority that must have signed the other half's certificate");
  command.add_flag("--plain-text", pair.plain_text, "no encryption and no authentication between the halves");
  command.add_option("--timeout-ms", pair.timeout_ms, "silence after which the other half is taken for dead")
      ->check(CLI::Range(kShortestTimeoutMs, kLongestTimeoutMs));
}

template <class Options>
void add_machine_ends(CLI::App& command, Options& options, Shaped& shaped) {
  command.add_option("--disk", shaped.disks, "PATH[,ro], a raw image or block device; may be given again");
  command.add_option("--net", shaped.nets, "switch=SOCKET or tap=IFNAME, then [,mac=..]; may be given again");
  command.add_option("--engine", options.engine, kEngineHelp)->check(CLI::IsMember(kEngines));
  command.add_option("--console", options.console, "unix:PATH or none; default: this terminal (Ctrl-A x leaves)");
  command.add_flag("--json", options.json, "the last line of standard output is JSON with the counters");
  command.add_flag("!--no-sandbox", options.sandbox, "do not confine the process once everything is open");
}

struct RunCommand {
  RunOptions options;
  Shaped shaped;

  void add(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* command = app.add_subcommand("run", "Runs a machine; with --record, or protected by a --backup");
    MachineOptions& machine = options.machine;
    command->add_option("MACHINE.toml", shaped.machine_file, "a machine file; options given here win over it");
    command->add_option("--name", machine.name, "the machine's name");
    command->add_option("--kernel", machine.kernel, "bzImage, ELF (PVH) or multiboot; default: found in the first disk");
    command->add_option("--initrd", machine.initrd, "initial RAM disk; default: found with the kernel");
    command->add_option("--append", machine.append, "added to the kernel's command line");
    command->add_option("--memory", shaped.memory, "the guest's memory, e.g. 512M or 2G (default 1G)");
    command->add_option("--cpus", shaped.cpus, "how many processors the guest sees, 1 to 8 (default 1)");
    command->add_option("--clock", shaped.clock, "host, or virtual (a run without outside input repeats exactly)")
        ->check(CLI::IsMember({"host", "virtual"}));
    command->add_option("--record", options.record, "write every input to this log, for pollux replay");
    command->add_option("--mark-ms", options.mark_ms, "the guest's time from one mark of its digest to the next (50)")
        ->check(CLI::Range(1, 3'600'000));
    command->add_option("--backup", options.pair.peer, "HOST:PORT of a waiting pollux backup");
    add_machine_ends(*command, options, shaped);
    add_pair_options(*command, options.pair);
    command->callback([this, command, &chosen] { chosen = [this, command] { return start(*command); }; });
  }

  int start(CLI::App&) {
    RunOptions asked = options;
    if (!shaped.machine_file.empty()) {
      auto from_file = read_machine_file(shaped.machine_file, RunOptions{});
      if (!from_file) return complain(from_file.error(), options.json);
      asked = merge(*from_file);
    }
    if (auto done = read_shapes(asked); !done) return complain(done.error(), options.json);
    return leave(run(asked), options.json);
  }

  // What was typed wins over the machine file; what was not typed still has its default.
  RunOptions merge(RunOptions file) const {
    const RunOptions defaults;
    const auto take = [](auto& into, const auto& typed, const auto& usual) {
      if (typed != usual) into = typed;
    };
    take(file.machine.name, options.machine.name, defaults.machine.name);
    take(file.machine.kernel, options.machine.kernel, defaults.machine.kernel);
    take(file.machine.initrd, options.machine.initrd, defaults.machine.initrd);
    take(file.machine.append, options.machine.append, defaults.machine.append);
    take(file.engine, options.engine, defaults.engine);
    take(file.record, options.record, defaults.record);
    take(file.mark_ms, options.mark_ms, defaults.mark_ms);
    take(file.console, options.console, defaults.console);
    take(file.pair.peer, options.pair.peer, defaults.pair.peer);
    take(file.pair.arbiter_dir, options.pair.arbiter_dir, defaults.pair.arbiter_dir);
    take(file.pair.key_file, options.pair.key_file, defaults.pair.key_file);
    take(file.pair.certificate, options.pair.certificate, defaults.pair.certificate);
    take(file.pair.certificate_key, options.pair.certificate_key, defaults.pair.certificate_key);
    take(file.pair.authority, options.pair.authority, defaults.pair.authority);
    take(file.pair.plain_text, options.pair.plain_text, defaults.pair.plain_text);
    take(file.pair.timeout_ms, options.pair.timeout_ms, defaults.pair.timeout_ms);
    file.json = options.json;
    file.sandbox = options.sandbox;
    return file;
  }

  Result<void> read_shapes(RunOptions& asked) const {
    if (!shaped.memory.empty()) {
      const auto bytes = parse_size(shaped.memory);
      if (!bytes) return std::unexpected(bytes.error());
      asked.machine.memory_bytes = *bytes;
    }
    if (!shaped.cpus.empty()) {
      const auto cpus = parse_cpus(shaped.cpus);
      if (!cpus) return std::unexpected(cpus.error());
      asked.machine.cpus = *cpus;
    }
    if (!shaped.clock.empty()) {
      asked.machine.clock = shaped.clock == "virtual" ? ClockKind::kVirtual : ClockKind::kHost;
    }
    if (auto done = parse_all(shaped.disks, parse_disk, asked.machine.disks); !done) return pass(done);
    return parse_all(shaped.nets, parse_net, asked.machine.nets);
  }
};

struct BackupCommand {
  BackupOptions options;
  Shaped shaped;

  void add(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* command = app.add_subcommand("backup", "Waits for a primary, follows it, and goes on in its place");
    command->add_option("--listen", options.pair.peer, "HOST:PORT to wait on")->required();
    add_machine_ends(*command, options, shaped);
    add_pair_options(*command, options.pair);
    command->callback([this, &chosen] { chosen = [this] { return start(); }; });
  }

  int start() {
    if (auto done = parse_all(shaped.disks, parse_disk, options.disks); !done) return complain(done.error(), options.json);
    if (auto done = parse_all(shaped.nets, parse_net, options.nets); !done) return complain(done.error(), options.json);
    return leave(backup(options), options.json);
  }
};

struct ReplayCommand {
  ReplayOptions options;

  void add(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* command = app.add_subcommand("replay", "Runs a log again, bit for bit, and compares every mark");
    command->add_option("LOG", options.log, "a log made by pollux run --record")->required();
    command->add_option("--until", options.until, "stop at this position (instructions since power-on)");
    command->add_option("--engine", options.engine, kEngineHelp)->check(CLI::IsMember(kEngines));
    command->add_flag("--show-console", options.show_console, "print what the guest printed");
    command->add_flag("--json", options.json, "the last line of standard output is JSON with the counters");
    command->callback([this, &chosen] { chosen = [this] { return leave(replay(options), options.json); }; });
  }
};

struct LogCommand {
  std::string path;
  bool dump = false, json = false;

  void add(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* command = app.add_subcommand("log", "Says what is in a log: by kind, count and bytes");
    command->add_option("LOG", path, "a log made by pollux run --record")->required();
    command->add_flag("--dump", dump, "list every entry");
    command->add_flag("--json", json, "as JSON");
    command->callback([this, &chosen] {
      chosen = [this] {
        const auto report = describe_log(path, dump, json, std::cout);
        if (!report) return complain(report.error(), json);
        return static_cast<int>(report->code);
      };
    });
  }
};

struct SwitchCommand {
  SwitchOptions options;

  void add(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* command = app.add_subcommand("switch", "A small Ethernet switch with a way out; needs no root");
    command->add_option("SOCKET", options.socket, "the Unix socket that machines connect to")->required();
    command->add_option("--forward", options.forwards, "tcp:HOSTPORT:GUESTPORT or udp:..; may be given again");
    command->add_flag("!--no-sandbox", options.sandbox, "do not confine the process once everything is open");
    command->callback([this, &chosen] {
      chosen = [this] {
        const auto done = run_switch(options);
        if (!done) return complain(done.error(), false);
        std::fprintf(stderr, "pollux: %s\n", done->c_str());
        return 0;
      };
    });
  }
};

struct ImageCommand {
  ImageOptions options;
  std::string size = "2G", include;

  void add(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* image = app.add_subcommand("image", "Disk images");
    image->require_subcommand(1);
    CLI::App* command = image->add_subcommand("build", "Builds a Debian guest's disk image");
    command->add_option("--out", options.out, "the image to write")->required();
    command->add_option("--suite", options.suite, "the Debian release (default bookworm)");
    command->add_option("--include", include, "more packages, with commas between them");
    command->add_option("--size", size, "the image's size (default 2G)");
    command->add_option("--script", options.script, "run inside the new system at the end");
    command->callback([this, &chosen] { chosen = [this] { return start(); }; });
  }

  int start() {
    const auto bytes = parse_size(size);
    if (!bytes) return complain(bytes.error(), false);
    options.size_bytes = *bytes;
    options.include = CLI::detail::split(include, ',');
    const auto done = build_image(options);
    return done ? 0 : complain(done.error(), false);
  }
};

struct KeyCommand {
  std::string path;

  void add(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* command = app.add_subcommand("key", "Makes a cluster key that both halves of a pair are given");
    command->add_option("FILE", path, "the key file to make")->required();
    command->callback([this, &chosen] {
      chosen = [this] {
        const auto done = make_key(path);
        return done ? 0 : complain(done.error(), false);
      };
    });
  }
};

struct CertificateCommand {
  std::string folder, host;

  void add(CLI::App& app, std::function<int()>& chosen) {
    CLI::App* command = app.add_subcommand("certificate", "Makes a host's certificate, and the authority that signs it");
    command->add_option("FOLDER", folder, "where ca.pem, ca.key and the hosts' files are; made when absent")->required();
    command->add_option("HOST", host, "makes HOST.pem and HOST.key there")->required();
    command->callback([this, &chosen] {
      chosen = [this] {
        const auto done = make_certificate(folder, host);
        return done ? 0 : complain(done.error(), false);
      };
    });
  }
};

bool has_command(const CLI::App& app, const std::string& word) {
  return !app.get_subcommands([&](const CLI::App* command) { return command->get_name() == word; }).empty();
}

}  // namespace

int main(int argc, char** argv) {
  host::speak_on_breakdown();
  CLI::App app("Pollux: fault-tolerant virtual machines, by a deterministic processor");
  app.set_version_flag("--version", "pollux " POLLUX_VERSION);
  app.require_subcommand(1);
  app.footer("Exit codes: 0 in order, 1 the world said no, 2 usage, 3 bad bytes, 4 divergence, 5 reset, 6 halted itself");
  std::function<int()> chosen;
  RunCommand run_command;
  BackupCommand backup_command;
  ReplayCommand replay_command;
  LogCommand log_command;
  SwitchCommand switch_command;
  ImageCommand image_command;
  KeyCommand key_command;
  CertificateCommand certificate_command;
  run_command.add(app, chosen);
  backup_command.add(app, chosen);
  replay_command.add(app, chosen);
  switch_command.add(app, chosen);
  log_command.add(app, chosen);
  image_command.add(app, chosen);
  key_command.add(app, chosen);
  certificate_command.add(app, chosen);
  if (argc > 1 && argv[1][0] != '-' && !has_command(app, argv[1])) {
    return complain({ErrorKind::kUsage, "there is no command '" + std::string(argv[1]) + "' (see pollux --help)"}, false);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return complain({ErrorKind::kUsage, std::string(error.what()) + " (see pollux --help)"}, false);
  }
  return chosen();
}
