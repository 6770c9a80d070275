-- Which queue, of which pool, made the job ids that begin with this.
create table job_prefixes (
  prefix bigint primary key,
  pool   varchar(255) not null
);

-- Jobs that have not ended. Times are milliseconds since 1970, 0 for what has not been.
create table live_jobs (
  id             bigint primary key,
  pool           varchar(255) not null,
  function_name  varchar(256) not null,
  content_type   varchar(16) not null,
  payload        ${bytes},
  attempts       integer not null,
  timeout_millis bigint not null,
  priority       integer not null,
  submitter      varchar(256) not null,
  delay_millis   bigint not null,
  ttl_millis     bigint not null,
  keep_millis    bigint not null,
  job_key        varchar(256),
  submitted_at   bigint not null,
  due            bigint not null,
  expires        bigint not null,
  state          varchar(16) not null,
  fence          integer not null,
  started        integer not null,
  uncounted      integer not null,
  started_at     bigint not null,
  ended_at       bigint not null,
  worker         varchar(255) not null,
  cause          text,
  result_type    varchar(16) not null,
  result         ${bytes},
  told           boolean not null,
  keep_until     bigint not null
);

-- The order in which a lane is read.
create index live_jobs_in_turn on live_jobs (pool, priority, submitter, id);

-- Jobs that have ended: the same columns.
create table ended_jobs (
  id             bigint primary key,
  pool           varchar(255) not null,
  function_name  varchar(256) not null,
  content_type   varchar(16) not null,
  payload        ${bytes},
  attempts       integer not null,
  timeout_millis bigint not null,
  priority       integer not null,
  submitter      varchar(256) not null,
  delay_millis   bigint not null,
  ttl_millis     bigint not null,
  keep_millis    bigint not null,
  job_key        varchar(256),
  submitted_at   bigint not null,
  due            bigint not null,
  expires        bigint not null,
  state          varchar(16) not null,
  fence          integer not null,
  started        integer not null,
  uncounted      integer not null,
  started_at     bigint not null,
  ended_at       bigint not null,
  worker         varchar(255) not null,
  cause          text,
  result_type    varchar(16) not null,
  result         ${bytes},
  told           boolean not null,
  keep_until     bigint not null
);

-- Live jobs of which is known which supervisor holds them.
create table held_jobs (
  id     bigint primary key,
  pool   varchar(255) not null,
  holder varchar(600) not null
);

create table job_keys (
  pool    varchar(255) not null,
  job_key varchar(256) not null,
  id      bigint not null,
  primary key (pool, job_key)
);

-- How many jobs of a pool have ended in which state, ever.
create table job_counts (
  pool  varchar(255) not null,
  state varchar(16) not null,
  jobs  bigint not null,
  primary key (pool, state)
);
