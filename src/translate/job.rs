//! A request, from its inputs to its files.

use super::TranslateError;
use super::film::{self, Writer};
use super::frames;
use super::grid::translate_all;
use super::guides::{self, Draws, Guide};
use super::inputs::{self, Picture, REFERENCE, SOURCE};
use super::model::{Model, Opening};
use super::names::Names;
use super::output::{Film, Place, Still, protect, usage};
use super::request::{Guiding, Kind, Report, Request, Written};
use super::selection;
use super::sheets::{Layout, strip};
use crate::train::in_pool;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Opens the model `name` and does what `request` asks for, on threads of its own. `progress` is called with the outputs
/// done and their total number.
///
/// # Errors
/// The model, the inputs or the output cannot be used, or something fails. A film or picture is complete or not there.
pub fn translate(
    name: &str,
    opening: &Opening,
    request: &Request,
    progress: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Report, TranslateError> {
    // What needs no model is seen first.
    let place = Place::of(&request.output, request.interpolate)?;
    if let Place::Film(path, format) = &place {
        film::available(path, *format)?;
    }
    in_pool(rayon::current_num_threads(), || {
        let (model, warnings) = Model::open(name, opening)?;
        let mut job = Job { model: &model, request, place: &place, progress, report: Report::default() };
        job.report.warnings = warnings;
        job.run()?;
        Ok(job.report)
    })
}

/// A request under way.
struct Job<'a> {
    model: &'a Model,
    request: &'a Request,
    place: &'a Place,
    progress: &'a mut (dyn FnMut(usize, usize) + Send),
    report: Report,
}

impl Job<'_> {
    fn run(&mut self) -> Result<(), TranslateError> {
        selection::check_mode(self.model, self.request)?;
        let wanted = self.request.domains.iter().map(|text| self.model.domain("--domain", text));
        let mut wanted = wanted.collect::<Result<Vec<u32>, _>>()?;
        let mut seen = HashSet::new();
        wanted.retain(|domain| seen.insert(*domain));
        let warnings = &mut self.report.warnings;
        let sources = selection::sources(self.model, self.request, warnings)?;
        let references = match &self.request.guiding {
            Guiding::References(paths) => selection::references(self.model, self.request, paths, &wanted, warnings)?,
            _ => Vec::new(),
        };
        let inputs: Vec<PathBuf> = sources.iter().chain(&references).map(|(found, _)| found.path.clone()).collect();
        let of_model = std::iter::once(self.model.path.as_path());
        protect(&self.request.output, inputs.iter().map(PathBuf::as_path).chain(of_model))?;
        let sources = inputs::load(SOURCE, sources, self.model.image_size)?;
        let references = inputs::load(REFERENCE, references, self.model.image_size)?;
        let targets = match wanted.is_empty() {
            true => (0..self.model.domains.len() as u32).collect(),
            false => wanted,
        };
        let guides = match self.request.guiding {
            Guiding::Labels => guides::labels(&targets),
            Guiding::Latents { count, psi, seed } => {
                guides::latents(self.model, &targets, &Draws { count, seed, psi })?
            }
            Guiding::References(_) => guides::references(self.model, &references)?,
        };
        if self.request.interpolate {
            self.check_transitions(&guides)?;
        }
        self.place.prepare()?;
        match self.place {
            Place::Still(path, format) if self.request.interpolate => self.strip(path, *format, &sources, &guides),
            Place::Still(path, format) => self.still(path, *format, &sources, &guides),
            Place::Film(path, format) => self.film(path, *format, &sources, &guides),
            Place::Folder(folder) => self.folder(folder, &sources, &guides, &inputs),
        }
    }

    /// Sees that there is something to interpolate between.
    fn check_transitions(&self, guides: &[Guide]) -> Result<(), TranslateError> {
        match (guides::transitions(guides).first(), &self.request.guiding) {
            (Some(pair), _) => frames::between(*pair, 0.5).map(drop),
            (None, Guiding::References(_)) => {
                let problem =
                    "two references of one domain are needed, one after the other in the order of their paths";
                Err(TranslateError::usage("--interpolate", problem))
            }
            (None, _) => Err(TranslateError::usage("--interpolate", "at least two codes are needed: --latents 2")),
        }
    }

    /// One output alone, or a sheet.
    fn still(
        &mut self,
        path: &Path,
        format: Still,
        sources: &[Picture],
        guides: &[Guide],
    ) -> Result<(), TranslateError> {
        let total = sources.len() * guides.len();
        let mut done = 0;
        if total == 1 {
            return translate_all(self.model, sources, guides, &mut |_, _, output| {
                format.write(path, &output)?;
                (self.progress)(1, 1);
                self.report.written.push(self.written(path, Kind::Image, output.dimensions(), sources, guides));
                Ok(())
            });
        }
        let layout = Layout::new(sources, guides);
        if let Some(problem) = layout.too_large(format, self.model.image_size) {
            return Err(usage(path, &problem));
        }
        let mut sheet = layout.begin(self.model.image_size);
        translate_all(self.model, sources, guides, &mut |source, guide, output| {
            layout.place(&mut sheet, source, guide, &output);
            done += 1;
            (self.progress)(done, total);
            Ok(())
        })?;
        let picture = sheet.into_picture();
        format.write(path, &picture)?;
        self.report.written.push(self.written(path, Kind::Sheet, picture.dimensions(), sources, guides));
        Ok(())
    }

    /// A file per output, and a sheet of them.
    fn folder(
        &mut self,
        folder: &Path,
        sources: &[Picture],
        guides: &[Guide],
        inputs: &[PathBuf],
    ) -> Result<(), TranslateError> {
        let mut names = Names::default();
        let mut paths = Vec::with_capacity(sources.len() * guides.len());
        for source in sources {
            for guide in guides {
                let domain = &self.model.domains[guide.domain as usize];
                let path = folder.join(names.of(&source.name, domain, &guide.name()) + ".png");
                protect(&path, inputs.iter().map(PathBuf::as_path))?;
                paths.push(path);
            }
        }
        let grid = folder.join("grid.png");
        protect(&grid, inputs.iter().map(PathBuf::as_path))?;
        let layout = Layout::new(sources, guides);
        let too_large = layout.too_large(Still::Png, self.model.image_size);
        let wants_sheet = paths.len() > 1 && too_large.is_none();
        if let Some(problem) = too_large.filter(|_| paths.len() > 1) {
            self.report.warnings.push(format!("no {}: {problem}", grid.display()));
        }
        let mut sheet = wants_sheet.then(|| layout.begin(self.model.image_size));
        let mut done = 0;
        translate_all(self.model, sources, guides, &mut |source, guide, output| {
            let path = &paths[source * guides.len() + guide];
            Still::Png.write(path, &output)?;
            if let Some(sheet) = &mut sheet {
                layout.place(sheet, source, guide, &output);
            }
            let (sources, guides) = (&sources[source..=source], &guides[guide..=guide]);
            self.report.written.push(self.written(path, Kind::Image, output.dimensions(), sources, guides));
            done += 1;
            (self.progress)(done, paths.len());
            Ok(())
        })?;
        if let Some(sheet) = sheet {
            let picture = sheet.into_picture();
            Still::Png.write(&grid, &picture)?;
            self.report.written.push(self.written(&grid, Kind::Sheet, picture.dimensions(), sources, guides));
        }
        Ok(())
    }

    /// The frames between guides as tiles.
    fn strip(
        &mut self,
        path: &Path,
        format: Still,
        sources: &[Picture],
        guides: &[Guide],
    ) -> Result<(), TranslateError> {
        let picture = strip(self.model, format, sources, guides, self.progress);
        let picture = picture?.map_err(|problem| usage(path, &problem))?;
        format.write(path, &picture)?;
        self.report.written.push(self.written(path, Kind::Strip, picture.dimensions(), sources, guides));
        Ok(())
    }

    fn film(&mut self, path: &Path, format: Film, sources: &[Picture], guides: &[Guide]) -> Result<(), TranslateError> {
        let with_references = guides.iter().any(|guide| guide.reference.is_some());
        let size = frames::frame_size(self.model.image_size as u32, sources.len(), with_references);
        let total = sources.len() * frames::pictures(guides::transitions(guides).len());
        let mut writer = Writer::begin(path, format, size)?;
        let (mut done, mut all) = (0, 0);
        frames::video(self.model, sources, guides, &mut |frame, shown| {
            writer.add(frame, shown)?;
            all += shown;
            done += sources.len();
            (self.progress)(done, total);
            Ok(())
        })?;
        writer.finish()?;
        let mut written = self.written(path, Kind::Film, size, sources, guides);
        written.frames = Some(all);
        self.report.written.push(written);
        Ok(())
    }

    fn written(
        &self,
        path: &Path,
        kind: Kind,
        (width, height): (u32, u32),
        sources: &[Picture],
        guides: &[Guide],
    ) -> Written {
        let mut targets: Vec<u32> = guides.iter().map(|guide| guide.domain).collect();
        targets.sort_unstable();
        targets.dedup();
        let mut latents: Vec<usize> = guides.iter().filter_map(|guide| guide.latent).collect();
        latents.sort_unstable();
        latents.dedup();
        let of_guide = |guide: &Guide| Some(guide.reference.as_ref()?.path.clone());
        Written {
            path: path.to_owned(),
            kind,
            width,
            height,
            frames: None,
            sources: sources.iter().map(|source| source.path.clone()).collect(),
            domains: targets.into_iter().map(|domain| self.model.domains[domain as usize].clone()).collect(),
            references: guides.iter().filter_map(of_guide).collect(),
            latents,
        }
    }
}
