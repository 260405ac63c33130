"""The emulator on aarch64, cross-compiled and run by qemu-user: a kernel fast and watched."""

import shutil
import subprocess

import pytest

from minidecay.cuda import source
from minidecay.cuda.emulator import building

CROSS, QEMU = "aarch64-linux-gnu-g++", "qemu-aarch64"
KERNEL = "matmul/05_register_2d"
# Multiplies matrices by a kernel's shared object, as module.py does, and says how far C is off the
# plain sum, then each finding.
DRIVER = r"""
#include <cmath>
#include <cstdio>
#include <dlfcn.h>
#include "runtime.h"
#include "stacks.h"

int main(int count, char** given) {
  void* object = dlopen(given[1], RTLD_NOW);
  if (!object) return printf("%s\n", dlerror()), 1;
  auto new_stacks = (emu::Stacks * (*)()) dlsym(object, "emu_new_stacks");
  auto run = (int (*)(const emu::Launch*))dlsym(object, "emu_run");
  auto findings = (const emu::Finding* (*)())dlsym(object, "emu_findings");
  int m = 70, n = 66, k = 33, batch = 1, stride = 0;
  alignas(256) static float a[70 * 33], b[33 * 66], c[70 * 66];
  for (int i = 0; i < m * k; i++) a[i] = i % 7 - 3;
  for (int i = 0; i < k * n; i++) b[i] = i % 5 - 2;
  float *pa = a, *pb = b, *pc = c, *none = nullptr;
  void* arguments[] = {&pa, &pb, &none, &none, &pc, &m, &n, &k, &batch, &stride, &stride};
  emu::Array arrays[] = {{(char*)a, sizeof a, 1}, {(char*)b, sizeof b, 1}, {(char*)c, sizeof c, 0}};
  emu::Launch launch = {{2, 2, 1}, {256, 1, 1}, 0, 2, 3, arrays,
                        (void (*)(void**))dlsym(object, "emu_enter_matmul"), arguments, 1u << 30,
                        new_stacks()};
  int found = run(&launch);
  double off = 0;
  for (int i = 0; i < m; i++)
    for (int j = 0; j < n; j++) {
      double sum = 0;
      for (int l = 0; l < k; l++) sum += a[i * k + l] * b[l * n + j];
      off = std::fmax(off, std::fabs(sum - c[i * n + j]));
    }
  printf("off by %g\n", off);
  for (int i = 0; i < found; i++) printf("%s\n", findings()[i].kind);
}
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """The compiled driver."""
    for tool in (CROSS, QEMU):
        if not shutil.which(tool):
            pytest.skip(f"there is no {tool}: apt install g++-aarch64-linux-gnu qemu-user")
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.cpp").write_text(DRIVER)
    made = folder / "driver"
    include = f"-I{building.HERE}"
    command = [CROSS, "-std=c++20", "-w", include, folder / "driver.cpp", "-o", made, "-ldl"]
    subprocess.run(command, check=True)
    return made


def told(driver, kernel, check, monkeypatch):
    """What the driver says of a source, under qemu."""
    monkeypatch.setenv("CXX", CROSS)
    library = building.build(kernel, {}, check=check)
    command = [QEMU, "-L", "/usr/aarch64-linux-gnu", driver, library]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("check", [False, True])
def test_a_kernel_is_right_and_clean(driver, check, monkeypatch):
    whole = source.read(source.find(KERNEL))
    assert told(driver, whole, check, monkeypatch) == ["off by 0"]


@pytest.mark.slow
def test_a_missing_barrier_is_found(driver, monkeypatch):
    whole = source.read(source.find(KERNEL))
    assert whole.text.count("__syncthreads();") == 2
    planted = source.parse(whole.label, ";".join(whole.text.rsplit("__syncthreads();", 1)))
    _, *findings = told(driver, planted, True, monkeypatch)
    assert {finding.partition(":")[0] for finding in findings} == {"data race"}
