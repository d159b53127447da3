// Where everything in our PC is: ports, addresses, interrupt numbers. Plain constants, used by machine/board (which
// puts the devices there), machine/boot (which tells the guest so in ACPI tables) and tests.
//
// The arrangement is the traditional one of a PC with ACPI and one PCI segment, so that kernels without ACPI find
// what they expect too. There is no HPET, no ISA DMA, no floppy, no VGA and no keyboard controller.
#pragma once

#include "base/integers.h"

namespace pollux::machine::platform {

// ---- memory map ----
// RAM is at [0, min(size, 3 GiB)) and from 4 GiB on (memory::GuestMemory).
inline constexpr u64 kPciWindowBase = 0xc000'0000;  // 32-bit BARs
inline constexpr u64 kPciWindowSize = 0x3c00'0000;  // to 0xfbff'ffff
inline constexpr u64 kPciWindow64Base = 0x40'0000'0000;  // 64-bit BARs, above any RAM: 256 GiB
inline constexpr u64 kPciWindow64Size = 0x40'0000'0000;
inline constexpr u64 kIoApicBase = 0xfec0'0000;
inline constexpr u64 kIoApicSize = 0x1000;
inline constexpr u64 kLocalApicBase = 0xfee0'0000;  // after reset; IA32_APIC_BASE moves it
inline constexpr u64 kLocalApicSize = 0x1000;
inline constexpr u64 kMaxMemory = 0x20'0000'0000;  // 128 GiB: ends below the 64-bit PCI window

// ---- processors and interrupts ----
// Local APIC identifiers count from 0. MSI: address 0xfeexxxxx, data as in SDM vol. 3, 11.11.
inline constexpr u32 kMaxCpus = 8;  // as many as flat logical destinations can name
inline constexpr u8 kIoApicId = 0;
inline constexpr u32 kIoApicPins = 24;
inline constexpr u32 kIoApicGsiBase = 0;
inline constexpr u32 kPicTimerIrq = 0;   // ISA IRQ of the PIT; source override: IRQ 0 is GSI 2, edge, active high
inline constexpr u32 kTimerGsi = 2;
inline constexpr u32 kSerialIrq = 4;     // edge, active high, as all ISA interrupts; IRQ n is GSI n except for 0
inline constexpr u32 kRtcIrq = 8;
inline constexpr u32 kSciIrq = 9;        // ACPI; source override: IRQ 9 is GSI 9, level, active high
// PCI INTx: slot s, pin p (0 = INTA) is GSI kPciIntxGsi + (s + p) % 4; level, active low in the tables' words
// (active high would do as well: the IO-APIC ignores polarity). Without an IO-APIC (PIC mode): IRQs 10 and 11, given in
// the devices' interrupt-line register: kPciIntxIsaIrq[(s + p) % 4].
inline constexpr u32 kPciIntxGsi = 16;
inline constexpr u32 kPciIntxLines = 4;
inline constexpr u8 kPciIntxIsaIrq[kPciIntxLines] = {10, 11, 10, 11};

// ---- ports ----
inline constexpr u16 kPic1 = 0x20, kPic2 = 0xa0;  // two ports each
inline constexpr u16 kPicEdgeLevel = 0x4d0;       // ELCR, two ports
inline constexpr u16 kPit = 0x40;                 // four ports
inline constexpr u16 kPitGate = 0x61;             // channel 2's gate and output, speaker
inline constexpr u16 kKeyboardCommand = 0x64;     // absent but for the reset pulse (0xfe)
inline constexpr u16 kRtc = 0x70;                 // two ports; index and data
inline constexpr u16 kPostCode = 0x80;            // writes vanish
inline constexpr u16 kSystemControl = 0x92;       // bit 0 resets, bit 1 is A20 (reads back, has no effect)
inline constexpr u16 kDebugConsole = 0xe9;        // bytes go to the console
inline constexpr u16 kExit = 0xf4;                // power off with the code written, for tests
inline constexpr u16 kSerial = 0x3f8;             // eight ports: COM1
inline constexpr u16 kPciConfigAddress = 0xcf8, kPciConfigData = 0xcfc;
inline constexpr u16 kResetControl = 0xcf9;       // bit 2 resets
inline constexpr u16 kPciIoBase = 0xc000;         // I/O BARs, if any
inline constexpr u16 kPciIoSize = 0x1000;

// ---- ACPI fixed hardware (ACPI 6.4, 4.8.3) ----
inline constexpr u16 kPm1Event = 0x600;    // PM1a_EVT_BLK: status, enable; length 4
inline constexpr u16 kPm1Control = 0x604;  // PM1a_CNT_BLK: length 2; SCI_EN is always set (no SMI_CMD: hardware-reduced
                                           // it is not, but there is no legacy mode to leave)
inline constexpr u16 kPmTimer = 0x608;     // PM_TMR_BLK: length 4, 32 bits wide (FADT TMR_VAL_EXT)
inline constexpr u8 kSleepTypeS5 = 5;      // SLP_TYPa of the \_S5 package
inline constexpr u8 kResetValue = 6;       // what the FADT's RESET_VALUE is, for RESET_REG = port kResetControl

// ---- clocks ----
inline constexpr u64 kTscHz = 1'000'000'000;       // the time-stamp counter counts virtual nanoseconds
inline constexpr u64 kApicTimerHz = 1'000'000'000; // before the divider; cpuid leaf 0x15 says so
inline constexpr u64 kPitHz = 1'193'182;
inline constexpr u64 kPmTimerHz = 3'579'545;

// ---- PCI devices: bus 0, device (slot) numbers; function 0 ----
inline constexpr u8 kHostBridgeSlot = 0;
inline constexpr u8 kFirstVirtioSlot = 1;  // entropy, then the disks, then the network cards, in configured order
inline constexpr u8 kPciSlots = 32;

}  // namespace pollux::machine::platform
