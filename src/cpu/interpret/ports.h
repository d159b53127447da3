// Permission to use I/O ports: for IN, OUT, INS, OUTS.
#pragma once

#include "cpu/interpret/interpreter.h"

namespace pollux::cpu::interpret {

// #GP(0) when the current task may not use ports [port, port + size).
void require_port(Interpreter& cpu, u16 port, unsigned size);

}  // namespace pollux::cpu::interpret
