#include "native.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pollux::test {

struct Native::Shared {
  u32 count;
  u32 finished;
  Input inputs[kBatch];
  Output outputs[kBatch];
};

namespace {

constexpr u64 kTrapFlag = 0x100;
constexpr u16 kUserCode64 = 0x33, kUserCode32 = 0x23;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::_Exit(3);
}

// ---- in the child ----
struct Child {
  Native* native;
  u32 count;
  u32* finished;
  const Input* inputs;
  Output* outputs;
  u8* code;           // writable view of the code page
  u32 current;
  bool running;
  gregset_t home_registers;
  Fx home_fx;
  u8 alternate_stack[1 << 17];
};
Child* child;

constexpr int kRegisterPlaces[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                     REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// Of the flags that an instruction may have set, AC would make the handler itself fault; and returning from a signal
// leaves NT and ID as the handler has them. (Steps over the red zone.)
void clear_sticky_flags() {
  asm volatile("lea -128(%%rsp), %%rsp; pushfq; andq %0, (%%rsp); popfq; lea 128(%%rsp), %%rsp"
               :
               : "i"(~0x244000)
               : "cc", "memory");
}

void load_case(ucontext_t* context) {
  const Input& in = child->inputs[child->current];
  gregset_t& g = context->uc_mcontext.gregs;
  for (unsigned n = 0; n < 16; ++n) g[kRegisterPlaces[n]] = i64(in.state.gpr[n]);
  g[REG_RIP] = i64(in.state.rip);
  g[REG_EFL] = i64(in.state.rflags | kTrapFlag);
  u16 cs = in.code_bits == 64 ? kUserCode64 : kUserCode32;
  std::memcpy(reinterpret_cast<u8*>(&g[REG_CSGSFS]), &cs, 2);
  u8* fx = reinterpret_cast<u8*>(context->uc_mcontext.fpregs);
  const u32 mask = reinterpret_cast<Fx*>(fx)->mxcsr_mask;
  std::memcpy(fx, &in.state.fx, 416);
  reinterpret_cast<Fx*>(fx)->mxcsr_mask = mask;
  u64 components;
  std::memcpy(&components, fx + 512, 8);
  components |= 3;
  std::memcpy(fx + 512, &components, 8);
  std::memcpy(reinterpret_cast<u8*>(kWindow), in.window.data(), kWindowSize);
  std::memcpy(reinterpret_cast<u8*>(kEdge), in.edge.data(), kEdgeSize);
  std::memcpy(child->code + (kCodeAt & 4095), in.code.data(), 16);
}

void store_case(const ucontext_t* context, int signal, const siginfo_t* info) {
  Output& out = child->outputs[child->current];
  const gregset_t& g = context->uc_mcontext.gregs;
  for (unsigned n = 0; n < 16; ++n) out.state.gpr[n] = u64(g[kRegisterPlaces[n]]);
  out.state.rip = u64(g[REG_RIP]);
  out.state.rflags = u64(g[REG_EFL]) & ~kTrapFlag;
  std::memcpy(&out.state.fx, context->uc_mcontext.fpregs, 416);
  std::memcpy(out.window.data(), reinterpret_cast<u8*>(kWindow), kWindowSize);
  std::memcpy(out.edge.data(), reinterpret_cast<u8*>(kEdge), kEdgeSize);
  const int trap = int(g[REG_TRAPNO]);
  out.vector = signal == SIGTRAP && trap == 1 ? -1 : trap;
  out.error = u32(g[REG_ERR]);
  out.address = u64(g[REG_CR2]);
  (void)info;
}

void on_signal(int signal, siginfo_t* info, void* raw) {
  clear_sticky_flags();
  auto* context = static_cast<ucontext_t*>(raw);
  if (!child->running) {
    if (signal != SIGTRAP) std::_Exit(4);
    std::memcpy(child->home_registers, context->uc_mcontext.gregs, sizeof(gregset_t));
    std::memcpy(&child->home_fx, context->uc_mcontext.fpregs, sizeof(Fx));
    child->running = true;
  } else {
    store_case(context, signal, info);
    *child->finished = ++child->current;
  }
  if (child->current < child->count) {
    load_case(context);
  } else {
    child->running = false;
    std::memcpy(context->uc_mcontext.gregs, child->home_registers, sizeof(gregset_t));
    std::memcpy(context->uc_mcontext.fpregs, &child->home_fx, 416);
  }
}

void map_memory() {
  const int code = int(syscall(SYS_memfd_create, "code", 0));
  if (code < 0 || ftruncate(code, 4096) != 0) fail("memfd_create");
  void* const at = mmap(reinterpret_cast<void*>(kCodePage), 4096, PROT_READ | PROT_EXEC,
                        MAP_SHARED | MAP_FIXED_NOREPLACE, code, 0);
  void* const view = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, code, 0);
  const auto data = [](u64 where, u64 size) {
    void* const p = mmap(reinterpret_cast<void*>(where), size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) fail("mmap");
    std::memset(p, 0, size);
  };
  if (at == MAP_FAILED || view == MAP_FAILED) fail("mmap");
  child->code = static_cast<u8*>(view);
  std::memset(child->code, 0xf4, 4096);
  data(kData, 0x2000);
  data(kReadOnly, 0x1000);
  if (mprotect(reinterpret_cast<void*>(kReadOnly), 0x1000, PROT_READ) != 0) fail("mprotect");
}

void install_handlers() {
  stack_t stack{};
  stack.ss_sp = child->alternate_stack;
  stack.ss_size = sizeof child->alternate_stack;
  if (sigaltstack(&stack, nullptr) != 0) fail("sigaltstack");
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigfillset(&action.sa_mask);
  for (const int signal : {SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGTRAP}) {
    if (sigaction(signal, &action, nullptr) != 0) fail("sigaction");
  }
}

void give_up_system_calls() {
  const auto allow = [](u32 number) { return number; };
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allow(SYS_rt_sigreturn), 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allow(SYS_read), 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allow(SYS_write), 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allow(SYS_exit_group), 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{sizeof filter / sizeof filter[0], filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail("no_new_privs");
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) fail("seccomp");
}

}  // namespace

void Native::spawn() {
  int work[2], done[2];
  if (pipe(work) != 0 || pipe(done) != 0) fail("pipe");
  child_ = fork();
  if (child_ < 0) fail("fork");
  if (child_ > 0) {
    close(work[0]);
    close(done[1]);
    work_ = work[1];
    done_ = done[0];
    return;
  }
  close(work[1]);
  close(done[0]);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  void* const memory = mmap(nullptr, sizeof(Child), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  child = new (memory) Child;
  child->inputs = shared_->inputs;
  child->outputs = shared_->outputs;
  child->finished = &shared_->finished;
  child->running = false;
  map_memory();
  install_handlers();
  // Null selectors serve 64-bit code only.
  asm volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0x2b));
  give_up_system_calls();
  char byte;
  while (read(work[0], &byte, 1) == 1) {
    child->count = shared_->count;
    child->current = 0;
    asm volatile("int3" : : : "memory");
    if (write(done[1], &byte, 1) != 1) break;
  }
  std::_Exit(0);
}

Native::Native() {
  void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  shared_ = static_cast<Shared*>(memory);
  signal(SIGPIPE, SIG_IGN);
  spawn();
}

Native::~Native() {
  close(work_);
  close(done_);
  waitpid(child_, nullptr, 0);
  munmap(shared_, sizeof(Shared));
}

std::span<Input> Native::inputs() { return shared_->inputs; }

void Native::start(unsigned count) {
  count_ = shared_->count = count;
  shared_->finished = 0;
  for (unsigned n = 0; n < count; ++n) shared_->outputs[n].vector = kLost;
  const char byte = 1;
  if (write(work_, &byte, 1) != 1) std::fprintf(stderr, "the child does not take work\n");
}

std::span<const Output> Native::finish() {
  pollfd ready{done_, POLLIN, 0};
  char byte;
  constexpr int kLimitMs = 20000;
  if (poll(&ready, 1, kLimitMs) != 1 || read(done_, &byte, 1) != 1) {
    kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    std::fprintf(stderr, "the child ended (status %#x) in case %u of its batch\n", status, shared_->finished);
    close(work_);
    close(done_);
    spawn();
  }
  return {shared_->outputs, count_};
}

}  // namespace pollux::test
