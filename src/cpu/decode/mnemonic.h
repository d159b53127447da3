// The names of instructions: Zydis's mnemonics. The only header through which other folders see Zydis.
#pragma once

#include <Zydis/Mnemonic.h>

namespace pollux::cpu::decode {

using Mnemonic = ZydisMnemonic;  // ZYDIS_MNEMONIC_ADD ...

}  // namespace pollux::cpu::decode
