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
        image = lambda: torch.rand(batch, 3, image_size, image_size, device=device) * 2 - 1
        latent = lambda: torch.randn(batch, 16, device=device)
        y_org = torch.arange(batch, device=device) % domains
        self.inputs = image(), image(), image(), latent(), latent(), y_org, (y_org + 1) % domains

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
        x, x_ref, x_ref2, z, z2, y_org, y_trg = self.inputs
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


def average_towards(averages, values, share):
    """Moves tensors by `share` of the way to others, all at once where PyTorch can (from 2.0 on)."""
    if hasattr(torch, "_foreach_lerp_"):
        torch._foreach_lerp_(averages, values, share)
    else:
        for average, value in zip(averages, values):
            average.lerp_(value, share)


class Strong(Official):
    """The same iteration in PyTorch's fastest practical form: channels_last tensors, bf16 autocast, compiled networks
    and a fused Adam. The discriminator's pass on real images stays in float32 and uncompiled, since R1 differentiates it
    twice. For GPUs; on a processor nothing is compiled or fused."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.on_gpu = self.device.startswith("cuda")
        images = [image.to(memory_format=torch.channels_last) for image in self.inputs[:3]]
        self.inputs = (*images, *self.inputs[3:])
        for net in self.nets.values():
            net.to(memory_format=torch.channels_last)
        for name, net in self.nets.items() if self.on_gpu else ():
            rate = self.optimizers[name].param_groups[0]["lr"]
            options = {"lr": rate, "betas": (0.0, 0.99), "weight_decay": 1e-4, "fused": True}
            self.optimizers[name] = torch.optim.Adam(net.parameters(), **options)
        for average in self.averages.values():
            average.requires_grad_(False)
        compiled = torch.compile if self.on_gpu else (lambda net: net)
        self.compiled = Munch((name, compiled(net)) for name, net in self.nets.items())

    def _autocast(self):
        return torch.autocast(self.device.split(":")[0], torch.bfloat16)

    def _d_loss(self, x, y_org, y_trg, style):
        real = x.detach().clone().requires_grad_()
        verdict = self.nets.discriminator(real, y_org)
        slope = torch.autograd.grad(verdict.sum(), real, create_graph=True)[0]
        penalty = 0.5 * slope.square().flatten(1).sum(1).mean()
        loss = self.solver.adv_loss(verdict, 1) + self.args.lambda_reg * penalty
        with self._autocast():
            with torch.no_grad():
                fake = self.compiled.generator(x, style())
            verdict = self.compiled.discriminator(fake, y_trg)
        return loss + self.solver.adv_loss(verdict.float(), 0)

    def _g_loss(self, x, y_org, y_trg, style, style2):
        nets, args = self.compiled, self.args
        with self._autocast():
            code, code2 = style(), style2()
            fake = nets.generator(x, code)
            with torch.no_grad():
                fake2 = nets.generator(x, code2)
            verdict = nets.discriminator(fake, y_trg)
            style_loss = (nets.style_encoder(fake, y_trg) - code).abs().mean()
            cycle = (nets.generator(fake, nets.style_encoder(x, y_org)) - x).abs().mean()
            diversity = (fake - fake2).abs().mean()
        terms = args.lambda_sty * style_loss - args.lambda_ds * diversity + args.lambda_cyc * cycle
        return self.solver.adv_loss(verdict.float(), 1) + terms.float()

    def iteration(self):
        x, x_ref, x_ref2, z, z2, y_org, y_trg = self.inputs
        mapped = lambda z: lambda: self.compiled.mapping_network(z, y_trg)
        encoded = lambda image: lambda: self.compiled.style_encoder(image, y_trg)
        self._update(self._d_loss(x, y_org, y_trg, mapped(z)), ["discriminator"])
        self._update(self._d_loss(x, y_org, y_trg, encoded(x_ref)), ["discriminator"])
        loss = self._g_loss(x, y_org, y_trg, mapped(z), mapped(z2))
        self._update(loss, ["generator", "mapping_network", "style_encoder"])
        self._update(self._g_loss(x, y_org, y_trg, encoded(x_ref), encoded(x_ref2)), ["generator"])
        with torch.no_grad():
            for name, average in self.averages.items():
                average_towards(list(average.parameters()), list(self.nets[name].parameters()), 1e-3)


def tf32(convolutions, products):
    """Sets where float32 arithmetic may be rounded to TF32. PyTorch's defaults are True and False."""
    torch.backends.cudnn.allow_tf32 = convolutions
    torch.backends.cuda.matmul.allow_tf32 = products


# Names of the forms: the class, and where TF32 is allowed.
MODES = {
    # As its authors wrote it, with PyTorch's defaults.
    "eager": (Official, (True, False)),
    # The same in exact float32.
    "eager_f32": (Official, (False, False)),
    "strong": (Strong, (True, True)),
}
