"""One training iteration of the official code of MUNIT, DRIT, MSGAN and StarGAN, imported from a checkout of each.

Networks and update functions are the checkout's own. On a processor, its calls of `.cuda()` are made to do nothing."""
import importlib
import sys
import types
from pathlib import Path

import torch


class _Iteration:
    """Random images of two domains, and the counts of parameters that `harness bench train` reports."""

    def __init__(self, folder, image_size, batch, device):
        # The checkouts have modules of equal names: one of them per process.
        sys.path.insert(0, str(folder))
        self.image_size, self.batch, self.device = image_size, batch, device
        if not device.startswith("cuda"):
            torch.Tensor.cuda = lambda tensor, *_, **__: tensor
            torch.nn.Module.cuda = lambda module, *_, **__: module
        torch.manual_seed(777)

    def image(self):
        return torch.rand(self.batch, 3, self.image_size, self.image_size, device=self.device) * 2 - 1

    def parameter_counts(self):
        return {name: sum(p.numel() for p in net.parameters()) for name, net in self.networks.items()}


class Munit(_Iteration):
    """`train.py` with the values of `configs/summer2winter_yosemite256_folder.yaml`."""

    def __init__(self, folder, image_size, batch, device):
        super().__init__(folder, image_size, batch, device)
        # Read for losses that are switched off.
        sys.modules["torch.utils.serialization"] = types.SimpleNamespace(load_lua=None)
        import yaml

        with open(Path(folder) / "configs/summer2winter_yosemite256_folder.yaml") as file:
            self.values = yaml.safe_load(file)
        self.trainer = importlib.import_module("trainer").MUNIT_Trainer(self.values).to(device)
        self.networks = {name: getattr(self.trainer, name) for name in ("gen_a", "gen_b", "dis_a", "dis_b")}

    def iteration(self):
        a, b = self.image(), self.image()
        self.trainer.update_learning_rate()
        self.trainer.dis_update(a, b, self.values)
        self.trainer.gen_update(a, b, self.values)


class _Unnoticed:
    """An optimiser whose steps do not count as changes of the parameters. DRIT's code goes back through a graph whose
    parameters have been stepped since, which PyTorch refuses from version 1.5 on."""

    def __init__(self, optimizer):
        (group,) = optimizer.param_groups
        self.parameters = group["params"]
        self.aliases = [parameter.data for parameter in self.parameters]
        self.zero_grad = optimizer.zero_grad
        options = {name: group[name] for name in ("lr", "betas", "weight_decay")}
        self.optimizer = torch.optim.Adam(self.aliases, **options)

    def step(self):
        for alias, parameter in zip(self.aliases, self.parameters):
            alias.grad = parameter.grad
        self.optimizer.step()


class Drit(_Iteration):
    """`train.py`: two batches for the content discriminator alone, then one for everything."""

    def __init__(self, folder, image_size, batch, device, mode_seeking, concat):
        super().__init__(Path(folder), image_size, batch, device)
        options = types.SimpleNamespace(
            concat=concat, no_ms=not mode_seeking, dis_scale=3, dis_norm="None", dis_spectral_norm=False,
            input_dim_a=3, input_dim_b=3, gpu=0,
        )
        self.model = importlib.import_module("model").DRIT(options)
        self.model.setgpu(0)
        self.model.initialize()
        names = ("disA", "disB", "disA2", "disB2", "disContent", "enc_c", "enc_a", "gen")
        self.networks = {name: getattr(self.model, name) for name in names}
        for name in names:
            setattr(self.model, f"{name}_opt", _Unnoticed(getattr(self.model, f"{name}_opt")))
        self.batches = 0

    def iteration(self):
        a, b = self.image(), self.image()
        self.batches += 1
        if self.batches % 3 != 0:
            self.model.update_D_content(a, b)
        else:
            self.model.update_D(a, b)
            self.model.update_EG()


METHODS = {
    "munit": Munit,
    "drit": lambda *args: Drit(*args, mode_seeking=False, concat=True),
    "msgan": lambda *args: Drit(*args, mode_seeking=True, concat=True),
}
