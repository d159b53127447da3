// Where things are in every Pollux machine: ports, device memory and interrupt inputs. Fixed, so that a machine's
// layout is never an input. machine/board wires devices to these numbers and machine/boot tells the guest of them in
// the ACPI tables; nobody else repeats them.
#pragma once

#include "base/integers.h"

namespace pollux::machine::platform {

// Device memory below 4 GiB.
inline constexpr u32 kPciWindowBase = 0xe000'0000;
inline constexpr u32 kPciWindowEnd = 0xfec0'0000;  // one past the last byte
inline constexpr u32 kIoapicBase = 0xfec0'0000;
inline constexpr u32 kLapicBase = 0xfee0'0000;

// Ports. 0xcf8-0xcff: PCI configuration, with the reset register inside it.
inline constexpr u16 kPciConfigPort = 0xcf8;
inline constexpr u16 kResetPort = 0xcf9;
inline constexpr u8 kResetValue = 6;
inline constexpr u16 kPm1EventPort = 0x600;    // status, 2 bytes; enable, 2 bytes
inline constexpr u16 kPm1ControlPort = 0x604;  // 2 bytes
inline constexpr u16 kPmTimerPort = 0x608;     // 32 bits at 3.579545 MHz
inline constexpr u16 kRtcPort = 0x70;
inline constexpr u16 kSerialPort = 0x3f8;
inline constexpr u8 kSleepTypeS5 = 5;  // SLP_TYP for power-off

// IO-APIC inputs (global system interrupts). The inputs below 16 are also the PIC's, but for the timer's override.
inline constexpr u8 kIoapicId = 0;
inline constexpr u32 kIoapicInputs = 24;
inline constexpr u32 kTimerInput = 2;  // ISA IRQ 0 arrives here
inline constexpr u32 kSerialInput = 4;
inline constexpr u32 kRtcInput = 8;
inline constexpr u32 kAcpiInput = 9;  // SCI: level, active high
// INTA of PCI device d is IO-APIC input kPciInputBase + d % kPciInputs: level, active low for the guest's tables.
inline constexpr u32 kPciInputBase = 16;
inline constexpr u32 kPciInputs = 8;

}  // namespace pollux::machine::platform
