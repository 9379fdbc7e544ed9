//! `GET /jobs`: the jobs of the key that asks, newest first, in pages or as an export that is
//! streamed. Contract part 2.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpResponse, web};

use crate::answer::SearchObject;
use crate::api::{ErrorCode, JobView, JobsView};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::job_filter;
use crate::http::request::params::Pairs;
use crate::http::resource::export::{self, Formulas};
use crate::job::Job;
use crate::service::{Caller, Service, ServiceError};
use crate::store::{Cursor, ListFilter, ListPage};

/// Bounds and default of `limit`, jobs in a page.
pub(crate) const LIMIT_MAX: usize = 200;
pub(crate) const LIMIT_DEFAULT: usize = 50;

/// A checked query.
pub(crate) struct Query {
    pub filter: ListFilter,
    pub after: Option<Cursor>,
    pub limit: usize,
    /// Whether it is not about the caller's own jobs.
    shows_account: bool,
    formulas: Formulas,
}

/// Returns a page, or all pages in a row where `Accept` names a format of lines.
pub(crate) async fn list(mut call: ApiCall, caller: Caller) -> ApiResult {
    let pairs = call.take_query()?;
    let service = call.service();
    let query = query(service, caller, pairs)?;
    if let Some(format) = wanted_format(call.headers()) {
        let body = Export::new(service.clone(), query, format);
        let content_type = (CONTENT_TYPE, format.content_type());
        return Ok(HttpResponse::Ok().insert_header(content_type).body(body));
    }
    let shows_account = query.shows_account;
    let page = read_searched(service.clone(), query).await?;
    Ok(HttpResponse::Ok().json(view(service, &page, shows_account)))
}

/// Returns a page as `GET /jobs` does; with the accounts of the jobs where they may differ.
pub(crate) fn view<'a>(
    service: &Service,
    (page, searches): &'a (ListPage, Vec<Option<SearchObject>>),
    shows_account: bool,
) -> JobsView<JobView<'a>> {
    let job = |(job, search): (&'a Job, &Option<SearchObject>)| {
        let view = JobView::new(job, service.id_of(job), None, None);
        view.listed(job, search.clone(), shows_account)
    };
    JobsView {
        jobs: page.jobs.iter().zip(searches).map(job).collect(),
        next_cursor: page.next.map(|next| service.cursor_text(next)),
    }
}

/// Returns the first format of lines that `Accept` names.
pub(crate) fn wanted_format(headers: &HeaderMap) -> Option<export::Format> {
    let accept = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accept
        .flat_map(|value| value.split(','))
        .filter_map(|media_type| media_type.split(';').next())
        .find_map(|media_type| export::Format::of(media_type.trim()))
}

/// Reads the query of a list.
///
/// # Errors
/// Returns an error if a filter or a bound breaks its rule.
pub(crate) fn query(service: &Service, caller: Caller, pairs: Pairs) -> Result<Query, ApiError> {
    let filter = ListFilter { account: caller.account.clone(), ..ListFilter::default() };
    let mut asked = Query {
        filter,
        after: None,
        limit: LIMIT_DEFAULT,
        shows_account: false,
        formulas: Formulas::Escape,
    };
    for (name, value) in pairs {
        let Some(value) = job_filter::set(service, &mut asked.filter, &name, value)? else {
            continue;
        };
        match name.as_str() {
            "limit" => asked.limit = limit(&value)?,
            "formulas" => {
                let (code, rule) = (ErrorCode::FormulasInvalid, "`escape` or `keep`");
                asked.formulas = Formulas::of(&value)
                    .ok_or_else(|| ApiError::invalid(code, "formulas", rule, &value))?;
            }
            "cursor" => asked.after = Some(cursor(service, &value)?),
            "account" => {
                let hours = service.retention_hours();
                service
                    .list_account(&caller, &value, &mut asked.filter)
                    .map_err(|error| ApiError::from_service(error, hours))?;
                asked.shows_account = true;
            }
            _ => {}
        }
    }
    Ok(asked)
}

/// Reads the `limit` of a page.
///
/// # Errors
/// Returns an error if it is no number from 1 to [`LIMIT_MAX`].
pub(crate) fn limit(value: &str) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        ApiError::invalid(ErrorCode::LimitInvalid, "limit", &format!("1 to {LIMIT_MAX}"), value)
    })
}

/// Reads where a page begins.
///
/// # Errors
/// Returns an error if it is no cursor of this service's.
pub(crate) fn cursor(service: &Service, value: &str) -> Result<Cursor, ApiError> {
    let rule = "the `next_cursor` of an earlier page";
    let cursor = service.cursor(value);
    cursor.ok_or_else(|| ApiError::invalid(ErrorCode::CursorInvalid, "cursor", rule, value))
}

pub(crate) type PageRead = Result<(ListPage, ListFilter), ServiceError>;

/// Reads a page off the actix threads: one may look at many rows.
pub(crate) async fn read_page(
    service: Arc<Service>,
    filter: ListFilter,
    after: Option<Cursor>,
    limit: usize,
) -> PageRead {
    let read = web::block(move || Ok((service.list(&filter, after, limit)?, filter))).await;
    // The pool refuses only while the process ends.
    read.unwrap_or(Err(ServiceError::Stopping))
}

/// Reads a page with the searches behind its answers, off the actix threads: results are large.
pub(crate) async fn read_searched(
    service: Arc<Service>,
    query: Query,
) -> Result<(ListPage, Vec<Option<SearchObject>>), ServiceError> {
    let (page, _) = read_page(service.clone(), query.filter, query.after, query.limit).await?;
    let read = move || {
        let searches = page.jobs.iter().map(|job| service.searches_of(job)).collect();
        (page, searches)
    };
    web::block(read).await.map_err(|_| ServiceError::Stopping)
}

/// All pages in a row. Nothing of the store is held while the client takes its time.
struct Export {
    service: Arc<Service>,
    format: export::Format,
    formulas: Formulas,
    ready: VecDeque<web::Bytes>,
    reading: Option<Pin<Box<dyn Future<Output = PageRead>>>>,
}

impl Export {
    fn new(service: Arc<Service>, query: Query, format: export::Format) -> Export {
        let reading = read_page(service.clone(), query.filter, query.after, LIMIT_MAX);
        let header = format.header().map(web::Bytes::from_static);
        Export {
            service,
            format,
            formulas: query.formulas,
            ready: header.into_iter().collect(),
            reading: Some(Box::pin(reading)),
        }
    }

    fn take(&mut self, page: &ListPage) {
        let mut lines = Vec::new();
        for job in &page.jobs {
            self.format.line(&mut lines, job, self.service.id_of(job), self.formulas);
        }
        if !lines.is_empty() {
            self.ready.push_back(lines.into());
        }
    }
}

impl MessageBody for Export {
    type Error = ApiError;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<web::Bytes, ApiError>>> {
        loop {
            if let Some(lines) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(lines)));
            }
            let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
            let read = ready!(reading.as_mut().poll(context));
            self.reading = None;
            match read {
                Ok((page, filter)) => {
                    self.take(&page);
                    if let Some(next) = page.next {
                        let reading =
                            read_page(self.service.clone(), filter, Some(next), LIMIT_MAX);
                        self.reading = Some(Box::pin(reading));
                    }
                }
                // The connection is cut, so that a part is not taken for the whole.
                Err(error) => {
                    let hours = self.service.retention_hours();
                    return Poll::Ready(Some(Err(ApiError::from_service(error, hours))));
                }
            }
        }
    }
}
