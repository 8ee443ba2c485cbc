"""Instance families and their sizes. Source: facts on compute pools, D:working-with-compute-pool."""

from dataclasses import dataclass

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Family:
    """What one node offers. `node_limit` 0: on request."""

    name: str
    vcpu: int
    memory_gib: int
    storage_gb: int
    gpu: str = ""
    gpu_count: int = 0
    gpu_memory_gib: int = 0
    node_limit: int = 150

    @property
    def cpu_milli(self) -> int:
        return self.vcpu * 1000

    @property
    def memory_bytes(self) -> int:
        return self.memory_gib * GIB


_ALL = (
    Family("CPU_X64_XS", 1, 6, 100),
    Family("CPU_X64_S", 3, 13, 100),
    Family("CPU_X64_M", 6, 28, 100),
    Family("CPU_X64_SL", 14, 54, 100),
    Family("CPU_X64_L", 28, 116, 100),
    Family("HIGHMEM_X64_S", 6, 58, 100),
    Family("HIGHMEM_X64_M", 28, 240, 100),
    Family("HIGHMEM_X64_SL", 92, 654, 100, node_limit=20),
    Family("HIGHMEM_X64_L", 124, 984, 100),
    Family("GPU_NV_S", 6, 27, 300, "NVIDIA A10G", 1, 24),
    Family("GPU_NV_M", 44, 178, 3400, "NVIDIA A10G", 4, 24, 10),
    Family("GPU_NV_L", 92, 1112, 6800, "NVIDIA A100", 8, 40, 0),
    Family("GPU_NV_XS", 3, 26, 100, "NVIDIA T4", 1, 16, 10),
    Family("GPU_NV_SM", 32, 424, 100, "NVIDIA A10", 1, 24, 10),
    Family("GPU_NV_2M", 68, 858, 100, "NVIDIA A10", 2, 24, 5),
    Family("GPU_NV_3M", 44, 424, 100, "NVIDIA A100", 2, 80, 0),
    Family("GPU_NV_SL", 92, 858, 100, "NVIDIA A100", 4, 80, 0),
    Family("GPU_GCP_NV_L4_1_24G", 6, 28, 300, "NVIDIA L4", 1, 24, 10),
    Family("GPU_GCP_NV_L4_4_24G", 44, 178, 1200, "NVIDIA L4", 4, 24, 10),
    Family("GPU_GCP_NV_A100_8_40G", 92, 654, 2500, "NVIDIA A100", 8, 40, 0),
)

FAMILIES: dict[str, Family] = {family.name: family for family in _ALL}
