//! Methods of many domains out of systems of two: one model for every pair of domains, as such systems are compared with
//! StarGAN v2 (section 4.1), trained side by side and evaluated as one.

use super::trained::Trained;
use super::{Batch, Guidance, Losses, Method, Mode, Result, Translator};
use candle_core::{Device, Tensor};
use harness_ops::Error;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

/// A system of two domains, 0 and 1.
pub trait PairModel: Send {
    /// Source images as far as they are looked at without knowing what they become.
    type Content;

    /// Length of the latent code.
    fn latent_dim(&self) -> usize;

    /// One full training iteration on images of both domains, each N×3×S×S in [-1, 1]. All random draws depend on the
    /// iteration, the seed and the pair's name alone.
    fn step(&mut self, iteration: u64, images: [&Tensor; 2]) -> Result<Losses>;

    /// Looks at images of domain `from`, N×3×S×S in [-1, 1].
    fn encode(&self, x: &Tensor, from: usize) -> Result<Self::Content>;

    /// The code that `guidance` towards domain `to` comes down to, N×latent_dim; a code is its own.
    fn code(&self, to: usize, guidance: Guidance) -> Result<Tensor>;

    /// Makes images of domain `to` of them and of such codes, N×3×S×S.
    fn decode(&self, content: &Self::Content, to: usize, code: &Tensor) -> Result<Tensor>;

    /// What the cycle compares with `x` of domain `from`: `translated` of the other domain taken back.
    fn reconstruct(&self, x: &Tensor, translated: &Tensor, from: usize) -> Result<Tensor>;

    /// The networks, in reporting order; their names begin with the pair's name and a dot.
    fn networks(&self) -> Vec<&Trained>;

    /// The same, to be restored.
    fn networks_mut(&mut self) -> Vec<&mut Trained>;
}

/// The same for both domains of a pair.
pub fn both<T>(mut each: impl FnMut(usize) -> Result<T>) -> Result<[T; 2]> {
    Ok([each(0)?, each(1)?])
}

/// Domains beyond which there would be thousands of models.
const MOST_DOMAINS: usize = 64;

/// One model per pair of domains.
pub struct PairModels<M> {
    domains: usize,
    device: Device,
    /// For the pairs (0, 1), (0, 2), …, (1, 2), ….
    models: Vec<([usize; 2], M)>,
}

impl<M: PairModel> PairModels<M> {
    /// Builds the model of every pair of `domains` domains; `build` is given the pair's name, for example `0-1`, which
    /// is to be part of the names of networks and random draws.
    ///
    /// # Errors
    /// Fewer than two domains, or more than 64; those of `build`.
    pub fn new(domains: usize, device: &Device, build: impl Fn(&str) -> Result<M>) -> Result<Self> {
        if domains > MOST_DOMAINS {
            let problem =
                format!("a model for every pair of {domains} domains is too much; at most {MOST_DOMAINS} domains");
            return Err(misfit("build", problem));
        }
        let pairs = (0..domains).flat_map(|a| (a + 1..domains).map(move |b| [a, b]));
        let models = pairs.map(|[a, b]| Ok(([a, b], build(&format!("{a}-{b}"))?))).collect::<Result<Vec<_>>>()?;
        if models.is_empty() {
            return Err(misfit("build", format!("two domains are needed, found {domains}")));
        }
        Ok(Self { domains, device: device.clone(), models })
    }

    /// The model that translates from one domain to another, with the places of both in its pair. An image that stays in
    /// its domain goes through the first model that knows the domain.
    fn route(&self, from: u32, to: u32) -> Result<Route> {
        let find = |pair: &[usize; 2], domain: u32| pair.iter().position(|&d| d == domain as usize);
        let routes = self.models.iter().enumerate();
        let mut routes =
            routes.filter_map(|(model, (pair, _))| Some(Route { model, from: find(pair, from)?, to: find(pair, to)? }));
        let domains = self.domains;
        routes.next().ok_or_else(|| misfit("translate", format!("there are {domains} domains, found {from} and {to}")))
    }

    /// The part of codes, as [`Method::codes`] gives them for the domain at place `to` of the model's pair, that is the
    /// model's own.
    fn own_part(&self, codes: &Tensor, model: usize, to: usize) -> Result<Tensor> {
        let domain = self.models[model].0[to];
        let before = self.models[..model].iter().filter(|(pair, _)| pair.contains(&domain)).count();
        let (length, parts) = (self.latent_dim(), self.domains - 1);
        if codes.dims().get(1) != Some(&(length * parts)) {
            let problem = format!("codes of length {} are needed, found shape {:?}", length * parts, codes.dims());
            return Err(misfit("translate", problem));
        }
        Ok(codes.narrow(1, before * length, length)?)
    }

    /// Rows that take the same way, by way.
    fn grouped(&self, from: &[u32], to: &[u32]) -> Result<BTreeMap<Route, Vec<u32>>> {
        if from.len() != to.len() {
            return Err(misfit("translate", format!("{} source and {} target domains", from.len(), to.len())));
        }
        let mut groups: BTreeMap<Route, Vec<u32>> = BTreeMap::new();
        for (row, (&from, &to)) in from.iter().zip(to).enumerate() {
            groups.entry(self.route(from, to)?).or_default().push(row as u32);
        }
        Ok(groups)
    }

    /// What `each` makes of every group of rows, in the order of the rows.
    fn by_route(
        &self,
        from: &[u32],
        to: &[u32],
        mut each: impl FnMut(Route, &[u32]) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let groups = self.grouped(from, to)?;
        let parts = groups.iter().map(|(route, rows)| each(*route, rows)).collect::<Result<Vec<_>>>()?;
        if let [part] = parts.as_slice() {
            return Ok(part.clone());
        }
        let mut place = vec![0u32; from.len()];
        for (position, &row) in groups.values().flatten().enumerate() {
            place[row as usize] = position as u32;
        }
        Ok(Tensor::cat(&parts, 0)?.index_select(&Tensor::new(place, &self.device)?, 0)?)
    }

    fn rows(&self, x: &Tensor, rows: &[u32]) -> Result<Tensor> {
        let x = x.to_device(&self.device)?;
        // All rows in order, as in an evaluation: nothing to copy.
        if rows.len() == x.dim(0)? {
            return Ok(x);
        }
        Ok(x.index_select(&Tensor::new(rows, &self.device)?, 0)?)
    }
}

/// What models made of rows of the sources: by model, place of the source domain in its pair, and rows.
type Encoded<M> = HashMap<(usize, usize, Vec<u32>), <M as PairModel>::Content>;

/// A model and the places of source and target domain in its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    model: usize,
    from: usize,
    to: usize,
}

impl<M: PairModel> Method for PairModels<M> {
    fn modes(&self) -> Vec<Mode> {
        vec![Mode::Latent, Mode::Reference]
    }

    fn latent_dim(&self) -> usize {
        self.models[0].1.latent_dim()
    }

    fn needs_source_domain(&self) -> bool {
        true
    }

    /// Losses are means over the pairs.
    fn step(&mut self, iteration: u64, batch: &Batch) -> Result<Losses> {
        let per_domain = batch.y_src.len() / self.domains;
        let ordered = batch.y_src.iter().enumerate().all(|(row, &y)| y as usize * per_domain == row - row % per_domain);
        if per_domain == 0 || !batch.y_src.len().is_multiple_of(self.domains) || !ordered {
            let problem = format!("images of every domain in turn are needed, found domains {:?}", batch.y_src);
            return Err(misfit("train", problem));
        }
        let share = 1.0 / self.models.len() as f64;
        let mut means = Losses::new();
        for ([a, b], model) in &mut self.models {
            let images = |domain: usize| batch.x_src.narrow(0, domain * per_domain, per_domain);
            for (place, (name, value)) in model.step(iteration, [&images(*a)?, &images(*b)?])?.into_iter().enumerate() {
                let value = (value * share)?;
                match means.get_mut(place) {
                    Some((_, mean)) => *mean = (&*mean + value)?,
                    None => means.push((name, value)),
                }
            }
        }
        Ok(means)
    }

    fn translate(&self, x: &Tensor, y_src: &[u32], y_trg: &[u32], guidance: Guidance) -> Result<Tensor> {
        self.translator(x, y_src)?(y_trg, guidance)
    }

    fn translator<'a>(&'a self, x: &Tensor, y_src: &[u32]) -> Result<Translator<'a>> {
        let (x, y_src) = (x.to_device(&self.device)?, y_src.to_vec());
        // By way and rows: a source is encoded once for all its translations to one domain.
        let encoded: RefCell<Encoded<M>> = RefCell::default();
        Ok(Box::new(move |y_trg, guidance| {
            self.by_route(&y_src, y_trg, |Route { model, from, to }, rows| {
                let (_, network) = &self.models[model];
                let guidance_rows = guidance.tensor().map(|all| self.rows(all, rows)).transpose()?;
                let guidance = guidance.with(guidance_rows.as_ref());
                let code = match guidance {
                    Guidance::Code(all) => self.own_part(all, model, to)?,
                    guidance => network.code(to, guidance)?,
                };
                let mut encoded = encoded.borrow_mut();
                let key = (model, from, rows.to_vec());
                if !encoded.contains_key(&key) {
                    encoded.insert(key.clone(), network.encode(&self.rows(&x, rows)?, from)?);
                }
                network.decode(&encoded[&key], to, &code)
            })
        }))
    }

    /// The codes of all models that know the target domain, side by side: which of them translates depends on the source.
    fn codes(&self, y_trg: &[u32], guidance: Guidance) -> Result<Option<Tensor>> {
        let codes = self.by_route(y_trg, y_trg, |Route { model, to, .. }, rows| {
            let guidance_rows = guidance.tensor().map(|all| self.rows(all, rows)).transpose()?;
            let guidance = guidance.with(guidance_rows.as_ref());
            if let Guidance::Code(codes) = guidance {
                return Ok(codes.clone());
            }
            let domain = self.models[model].0[to];
            let of_model = |(pair, model): &([usize; 2], M)| {
                let place = pair.iter().position(|&known| known == domain)?;
                Some(model.code(place, guidance))
            };
            Ok(Tensor::cat(&self.models.iter().filter_map(of_model).collect::<Result<Vec<_>>>()?, 1)?)
        })?;
        Ok(Some(codes))
    }

    fn reconstruct(&self, x: &Tensor, translated: &Tensor, y_src: &[u32], y_trg: &[u32]) -> Result<Tensor> {
        self.by_route(y_src, y_trg, |Route { model, from, .. }, rows| {
            self.models[model].1.reconstruct(&self.rows(x, rows)?, &self.rows(translated, rows)?, from)
        })
    }

    fn state(&self) -> Result<HashMap<String, Tensor>> {
        let mut state = HashMap::new();
        for (_, model) in &self.models {
            model.networks().into_iter().try_for_each(|network| network.export(&mut state))?;
        }
        Ok(state)
    }

    fn load_state(&mut self, state: &HashMap<String, Tensor>) -> Result<()> {
        let mut networks = self.models.iter_mut().flat_map(|(_, model)| model.networks_mut());
        networks.try_for_each(|network| network.import(state))
    }

    /// Networks of the same name in all pairs together.
    fn parameter_counts(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for network in self.models.iter().flat_map(|(_, model)| model.networks()) {
            let name = network.name().split_once('.').map_or(network.name(), |(_, name)| name);
            match counts.iter_mut().find(|(known, _)| known == name) {
                Some((_, count)) => *count += network.count(),
                None => counts.push((name.to_owned(), network.count())),
            }
        }
        counts
    }
}

fn misfit(operation: &'static str, problem: String) -> Error {
    Error::Operands { operation, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;

    /// Adds what tells the pair, the way and the code: its outputs say where an image has been.
    struct Adder {
        pair: f32,
        steps: Vec<(u64, f32, f32)>,
    }

    impl PairModel for Adder {
        type Content = Tensor;

        fn latent_dim(&self) -> usize {
            1
        }

        fn step(&mut self, iteration: u64, images: [&Tensor; 2]) -> Result<Losses> {
            let [a, b] = images.map(|x| x.mean_all().unwrap().to_scalar::<f32>().unwrap());
            self.steps.push((iteration, a, b));
            Ok(vec![("G/loss".into(), Tensor::new(self.pair, &Device::Cpu)?)])
        }

        fn encode(&self, x: &Tensor, from: usize) -> Result<Tensor> {
            Ok((x + (1000.0 * f64::from(self.pair) + 100.0 * from as f64))?)
        }

        /// A reference is coded differently by every model.
        fn code(&self, to: usize, guidance: Guidance) -> Result<Tensor> {
            Ok(match guidance {
                Guidance::Reference(x) => (x.flatten_from(1)? + (f64::from(self.pair) + 0.5 * to as f64))?,
                guidance => guidance.tensor().unwrap().clone(),
            })
        }

        fn decode(&self, content: &Tensor, to: usize, code: &Tensor) -> Result<Tensor> {
            let code = code.reshape((content.dim(0)?, 1, 1, 1))?;
            Ok((content.broadcast_add(&code)? + 10.0 * to as f64)?)
        }

        fn reconstruct(&self, x: &Tensor, translated: &Tensor, from: usize) -> Result<Tensor> {
            assert_eq!(x.dims(), translated.dims());
            Ok((translated + (1000.0 * f64::from(self.pair) + from as f64))?)
        }

        fn networks(&self) -> Vec<&Trained> {
            Vec::new()
        }

        fn networks_mut(&mut self) -> Vec<&mut Trained> {
            Vec::new()
        }
    }

    fn models(domains: usize) -> PairModels<Adder> {
        let number = |name: &str| name.replace('-', "").parse::<f32>().unwrap();
        PairModels::new(domains, &Device::Cpu, |name| Ok(Adder { pair: number(name), steps: Vec::new() })).unwrap()
    }

    fn column(values: &[f32]) -> Tensor {
        Tensor::from_slice(values, (values.len(), 1, 1, 1), &Device::Cpu).unwrap()
    }

    fn values(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_dtype(DType::F32).unwrap().to_vec1().unwrap()
    }

    /// Thousands: the pair; hundreds and tens: the places of source and target in it; ones: the code; tenths: the image.
    #[test]
    fn every_row_goes_through_its_pair() {
        let models = models(3);
        let codes = Tensor::new(&[[1f32], [2.0], [3.0], [4.0]], &Device::Cpu).unwrap();
        let translator = models.translator(&column(&[0.1, 0.2, 0.3, 0.4]), &[0, 2, 1, 0]).unwrap();
        for _ in 0..2 {
            let y = values(&translator(&[1, 0, 2, 2], Guidance::Latent(&codes)).unwrap());
            assert_eq!(y, [1011.1, 2102.2, 12013.3, 2014.4]);
        }
        let y = values(&translator(&[0, 2, 1, 0], Guidance::Latent(&codes)).unwrap());
        assert_eq!(y, [1001.1, 2112.2, 1113.3, 1004.4], "into the own domain");
        assert!(translator(&[0, 0, 0, 3], Guidance::Latent(&codes)).is_err());

        let back = models.reconstruct(&column(&[0.0; 2]), &column(&[0.5, 0.25]), &[2, 0], &[1, 1]).unwrap();
        assert_eq!(values(&back), [12001.5, 1000.25]);
    }

    #[test]
    fn codes_lead_where_their_guidance_leads() {
        let models = models(3);
        let x = column(&[0.1, 0.2, 0.3]);
        let (y_src, y_trg) = ([0, 2, 1], [1, 1, 2]);
        let (latents, references) =
            (Tensor::new(&[[1f32], [2.0], [3.0]], &Device::Cpu).unwrap(), column(&[4.0, 5.0, 6.0]));
        for guidance in [Guidance::Latent(&latents), Guidance::Reference(&references)] {
            let codes = models.codes(&y_trg, guidance).unwrap().unwrap();
            assert_eq!(codes.dims(), [3, 2], "of both models that know the domain");
            let translated = models.translate(&x, &y_src, &y_trg, guidance).unwrap();
            let decoded = models.translate(&x, &y_src, &y_trg, Guidance::Code(&codes)).unwrap();
            assert_eq!(values(&translated), values(&decoded));
            assert_eq!(values(&models.codes(&y_trg, Guidance::Code(&codes)).unwrap().unwrap()), values(&codes));
        }
        assert!(models.translate(&x, &y_src, &y_trg, Guidance::Code(&latents)).is_err(), "too short");
    }

    #[test]
    fn numbers_of_domains_that_make_no_sense() {
        for domains in [0, 1, MOST_DOMAINS + 1, usize::MAX] {
            let built = PairModels::<Adder>::new(domains, &Device::Cpu, |_| panic!("nothing is built"));
            assert!(built.is_err_and(|error| error.to_string().contains("domains")), "{domains}");
        }
    }

    #[test]
    fn every_pair_is_trained_on_its_domains() {
        let mut models = models(3);
        let batch = |y_src| Batch { x_src: column(&[1.0, 3.0, 5.0, 7.0, 9.0, 11.0]), y_src, references: None };
        let losses = models.step(4, &batch(vec![0, 0, 1, 1, 2, 2])).unwrap();
        assert_eq!(losses.len(), 1);
        assert_eq!(
            (losses[0].0.as_str(), losses[0].1.to_scalar::<f32>().unwrap()),
            ("G/loss", 5.0),
            "(1 + 2 + 12) / 3"
        );
        let steps: Vec<_> = models.models.iter().map(|(_, model)| model.steps[0]).collect();
        assert_eq!(steps, [(4, 2.0, 6.0), (4, 2.0, 10.0), (4, 6.0, 10.0)]);
        assert!(models.step(5, &batch(vec![0, 1, 2, 0, 1, 2])).is_err());
    }
}
