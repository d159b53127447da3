// The ACPI tables of a machine: RSDP, XSDT, FADT, FACS, MADT, DSDT. They say what machine/platform.h says, in the
// guest's words: full ACPI hardware (no system management mode, no embedded controller, fixed power button), a PCI
// host bridge without memory-mapped configuration, an RTC, a serial port.
// Source: ACPI specification 6.4, chapter 5 and 6.
#pragma once

#include "machine/boot/boot.h"

namespace pollux::machine::boot {

inline constexpr u32 kMostCpus = 255;  // local APIC identifiers of eight bits, without broadcast

// Writes the tables from kAcpiAt on and returns the RSDP's address, where old kernels find it by searching, too.
memory::PhysAddr write_acpi_tables(const Hardware& hardware, memory::GuestMemory& memory);

}  // namespace pollux::machine::boot
