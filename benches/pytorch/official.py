"""One training iteration of the official StarGAN v2 code, imported from a checkout of it.

The networks, the losses and the moving average are the checkout's own functions; here is only what its command line
does around them: weights, optimisers with the official settings, and the order of the steps in `Solver.train`."""
import copy
import sys
import types

import torch


class Munch(dict):
    """A dictionary whose entries are attributes, as the official code expects of the package of this name."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


def _stub(name, **attributes):
    """Puts an empty module in the place of one that the training step does not use."""
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    sys.modules[name] = module


def import_solver(folder):
    """The checkout's `core.solver`. What it imports for images, videos, landmarks and evaluation is left out."""
    for name, attributes in {
        "munch": {"Munch": Munch},
        "cv2": {},
        "ffmpeg": {},
        "tqdm": {"tqdm": iter},
        "skimage": {},
        "skimage.filters": {"gaussian": None},
        "metrics": {},
        "metrics.eval": {"calculate_metrics": None},
    }.items():
        _stub(name, **attributes)
    sys.path.insert(0, folder)
    import core.solver

    return core.solver


class _Side(int):
    """An image side that gives `base_channels` where the official networks divide 2^14 by it to get their width."""

    base_channels = None

    def __rfloordiv__(self, dividend):
        if dividend == 2**14 and self.base_channels is not None:
            return self.base_channels
        return dividend // int(self)


def _he_normal(module):
    if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
        torch.nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)


class Official:
    """Networks, averages and optimisers of one run with w_hpf = 0 and random inputs."""

    def __init__(self, folder, image_size, batch, domains, base_channels=None, max_channels=512, device="cpu"):
        self.solver = import_solver(folder)
        model = sys.modules["core.model"]
        side = _Side(image_size)
        side.base_channels = base_channels
        torch.manual_seed(777)
        self.image_size, self.batch, self.domains, self.device = image_size, batch, domains, device
        self.args = Munch(lambda_reg=1.0, lambda_sty=1.0, lambda_ds=1.0, lambda_cyc=1.0, w_hpf=0)
        self.nets = Munch(
            generator=model.Generator(side, 64, max_conv_dim=max_channels, w_hpf=0),
            mapping_network=model.MappingNetwork(16, 64, domains),
            style_encoder=model.StyleEncoder(side, 64, domains, max_conv_dim=max_channels),
            discriminator=model.Discriminator(side, domains, max_conv_dim=max_channels),
        )
        for net in self.nets.values():
            net.to(device).apply(_he_normal)
        self.averages = {name: copy.deepcopy(net) for name, net in self.nets.items() if name != "discriminator"}
        self.optimizers = Munch(
            (
                name,
                torch.optim.Adam(
                    net.parameters(),
                    lr=1e-6 if name == "mapping_network" else 1e-4,
                    betas=(0.0, 0.99),
                    weight_decay=1e-4,
                ),
            )
            for name, net in self.nets.items()
        )

    def parameter_counts(self):
        """Scalars of each network."""
        return {name: sum(p.numel() for p in net.parameters()) for name, net in self.nets.items()}

    def _update(self, loss, names):
        for optimizer in self.optimizers.values():
            optimizer.zero_grad()
        loss.backward()
        for name in names:
            self.optimizers[name].step()

    def iteration(self):
        """Two discriminator and two generator steps, then the averages."""
        image = lambda: torch.rand(self.batch, 3, self.image_size, self.image_size, device=self.device) * 2 - 1
        latent = lambda: torch.randn(self.batch, 16, device=self.device)
        x, x_ref, x_ref2, z, z2 = image(), image(), image(), latent(), latent()
        y_org = torch.arange(self.batch, device=self.device) % self.domains
        y_trg = (y_org + 1) % self.domains
        d_loss, g_loss = self.solver.compute_d_loss, self.solver.compute_g_loss
        nets, args = self.nets, self.args

        loss, _ = d_loss(nets, args, x, y_org, y_trg, z_trg=z)
        self._update(loss, ["discriminator"])
        loss, _ = d_loss(nets, args, x, y_org, y_trg, x_ref=x_ref)
        self._update(loss, ["discriminator"])
        loss, _ = g_loss(nets, args, x, y_org, y_trg, z_trgs=[z, z2])
        self._update(loss, ["generator", "mapping_network", "style_encoder"])
        loss, _ = g_loss(nets, args, x, y_org, y_trg, x_refs=[x_ref, x_ref2])
        self._update(loss, ["generator"])
        for name, average in self.averages.items():
            self.solver.moving_average(nets[name], average, beta=0.999)
