-- One row for each thing that is known of the framework as a whole.
create table framework (
  name    varchar(64) primary key,
  content varchar(4096) not null
);

create table pools (
  name     varchar(255) primary key,
  spec     text not null,
  draining boolean not null
);

create table workers (
  task_id     varchar(255) primary key,
  pool        varchar(255) not null,
  slot        integer not null,
  launch      bigint not null,
  agent_id    varchar(255) not null,
  hostname    varchar(255) not null,
  executor_id varchar(255) not null,
  phase       varchar(32) not null,
  since       bigint not null
);

create table executors (
  agent_id    varchar(255) not null,
  executor_id varchar(255) not null,
  pool        varchar(255) not null,
  resources   text not null,
  files_url   varchar(1024) not null,
  primary key (agent_id, executor_id)
);
