//! Truncation: sampled codes drawn towards the mean of their domain, for fewer odd outputs and less variety (`psi` of the
//! official StarGAN v2 sample sheets).

use super::{Guidance, Method, Result};
use candle_core::{DType, Device, Tensor};
use harness_ops::Error;
use harness_ops::random::Key;

/// Latent codes that a mean is taken over, as in the official code.
pub const MEAN_CODE_DRAWS: usize = 10_000;

/// Latent codes that go through the network at once.
const CHUNK: usize = 1_000;

/// The mean code of every domain.
#[derive(Debug, Clone)]
pub struct MeanCodes {
    /// K×code length.
    means: Tensor,
}

impl MeanCodes {
    /// Means over `draws` latent codes of each of `domains` domains. The codes are standard normal, depend on `seed` alone
    /// and are the same for all domains. `None` if the method has no codes ([`Method::codes`]).
    ///
    /// # Errors
    /// Those of [`Method::codes`]; no draws, or no domains.
    pub fn new(method: &dyn Method, domains: usize, seed: u64, draws: usize) -> Result<Option<Self>> {
        if draws == 0 || domains == 0 {
            return Err(Error::Operands {
                operation: "mean codes",
                problem: format!("{draws} draws for {domains} domains have no mean"),
            });
        }
        let key = Key::new(seed, "truncation");
        let mut means = Vec::with_capacity(domains);
        for domain in 0..domains as u32 {
            let mut sum: Option<Tensor> = None;
            for (chunk, start) in (0..draws).step_by(CHUNK).enumerate() {
                let n = CHUNK.min(draws - start);
                let z = key.normal(chunk as u64, (n, method.latent_dim()), DType::F32, &Device::Cpu)?;
                let Some(codes) = method.codes(&vec![domain; n], Guidance::Latent(&z))? else {
                    return Ok(None);
                };
                let codes = codes.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.sum_keepdim(0)?;
                sum = Some(match sum {
                    Some(sum) => (sum + codes)?,
                    None => codes,
                });
            }
            means.extend(sum.map(|sum| sum / draws as f64).transpose()?);
        }
        Ok(Some(Self { means: Tensor::cat(&means, 0)? }))
    }

    /// The means, K×code length, f64.
    pub fn means(&self) -> &Tensor {
        &self.means
    }

    /// mean + `psi` · (code − mean) for `codes` N×length of the domains `y_trg` (N): 1 changes nothing, 0 gives the means.
    ///
    /// # Errors
    /// A domain without a mean, or codes of another number or length.
    pub fn truncate(&self, codes: &Tensor, y_trg: &[u32], psi: f64) -> Result<Tensor> {
        let (domains, length) = self.means.dims2()?;
        if codes.dims() != [y_trg.len(), length] || y_trg.iter().any(|&y| y as usize >= domains) {
            return Err(Error::Operands {
                operation: "truncation",
                problem: format!(
                    "codes {:?} for the domains {y_trg:?} do not fit the means {:?}",
                    codes.dims(),
                    self.means.dims()
                ),
            });
        }
        let labels = Tensor::from_vec(y_trg.to_vec(), y_trg.len(), &Device::Cpu)?;
        let mean = self.means.index_select(&labels, 0)?;
        let offset = (codes.to_device(&Device::Cpu)?.to_dtype(DType::F64)? - &mean)?;
        Ok((mean + (offset * psi)?)?.to_dtype(codes.dtype())?.to_device(codes.device())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::settings::{RunSpec, Settings};
    use crate::methods::stargan_v2::StarganV2;

    fn model() -> StarganV2 {
        let mut settings = Settings::default();
        settings.train.image_size = 16;
        settings.generator.base_channels = Some(4);
        settings.generator.max_channels = 8;
        settings.discriminator.base_channels = Some(4);
        settings.discriminator.max_channels = 8;
        settings.style.hidden_dim = 8;
        let spec = RunSpec::unrecorded(settings, Default::default(), 3);
        StarganV2::new(&spec, 3, DType::F64, &Device::Cpu).unwrap()
    }

    fn codes_of(method: &dyn Method, y_trg: &[u32], z: &Tensor) -> Tensor {
        method.codes(y_trg, Guidance::Latent(z)).unwrap().unwrap()
    }

    fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
        tensor.to_dtype(DType::F64).unwrap().to_vec2().unwrap()
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn codes_are_what_the_generator_decodes() {
        let model = model();
        let image = |step| Key::new(1, "image").normal(step, (2, 3, 16, 16), DType::F64, &Device::Cpu).unwrap();
        let z = Key::new(1, "z").normal(0, (2, 16), DType::F64, &Device::Cpu).unwrap();
        let (x, reference) = (image(0), image(1));
        let (y_src, y_trg) = ([0, 1], [2, 0]);
        for guidance in [Guidance::Latent(&z), Guidance::Reference(&reference)] {
            let direct = model.translate(&x, &y_src, &y_trg, guidance).unwrap();
            let codes = model.codes(&y_trg, guidance).unwrap().unwrap();
            assert_eq!(codes.dims(), [2, 64]);
            let decoded = model.translate(&x, &y_src, &y_trg, Guidance::Code(&codes)).unwrap();
            let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f64>().unwrap();
            assert_eq!(flat(&direct), flat(&decoded));
        }
        let short = Tensor::zeros((2, 63), DType::F64, &Device::Cpu).unwrap();
        let error = model.translate(&x, &y_src, &y_trg, Guidance::Code(&short)).unwrap_err().to_string();
        assert!(error.contains("style codes 2×64 are needed, found [2, 63]"), "{error}");
    }

    #[test]
    fn means_are_those_of_the_draws_whatever_the_chunks() {
        let model = model();
        let draws = 2 * CHUNK + 100;
        let means = MeanCodes::new(&model, 3, 5, draws).unwrap().unwrap();
        let key = Key::new(5, "truncation");
        for domain in 0..3 {
            let mut sum = vec![0.0; 64];
            for (chunk, n) in [CHUNK, CHUNK, 100].into_iter().enumerate() {
                let z = key.normal(chunk as u64, (n, 16), DType::F64, &Device::Cpu).unwrap();
                for row in rows(&codes_of(&model, &vec![domain; n], &z)) {
                    sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / draws as f64);
                }
            }
            // The draws go through single precision on their way.
            assert!(distance(&sum, &rows(means.means())[domain as usize]) < 1e-6);
        }
    }

    #[test]
    fn psi_leads_from_the_mean_to_the_code() {
        let model = model();
        let means = MeanCodes::new(&model, 3, 5, 50).unwrap().unwrap();
        let z = Key::new(1, "z").normal(0, (2, 16), DType::F64, &Device::Cpu).unwrap();
        let codes = codes_of(&model, &[2, 0], &z);
        let truncated = |psi| rows(&means.truncate(&codes, &[2, 0], psi).unwrap());
        let all = rows(means.means());
        for (i, (mean, code)) in [&all[2], &all[0]].into_iter().zip(&rows(&codes)).enumerate() {
            assert!(distance(&truncated(0.0)[i], mean) < 1e-12);
            assert!(distance(&truncated(1.0)[i], code) < 1e-12);
            let between: Vec<f64> = mean.iter().zip(code).map(|(m, c)| 0.3 * m + 0.7 * c).collect();
            assert!(distance(&truncated(0.7)[i], &between) < 1e-12);
        }
        assert!(means.truncate(&codes, &[2, 3], 0.5).is_err());
        assert!(means.truncate(&codes, &[2], 0.5).is_err());
        assert!(MeanCodes::new(&model, 3, 5, 0).is_err());
    }
}
