//! The devices of QEMU's riscv32 board `virt`.
#![no_std]
#![allow(unsafe_code)]
