-- SPDX-License-Identifier: BSD-2-Clause
create table t(id integer primary key, a int, b text);
begin;
with recursive c(i) as (select 1 union all select i+1 from c where i<@N@)
  insert into t select i, (i*7919)%100003, 'row'||((i*31)%5000) from c;
commit;
create index ta on t(a);
create index tb on t(b);
select count(*), sum(a), min(b), max(b) from t;
select count(*) from t x join t y on x.a = y.id where y.b like 'row1%';
select b, count(*) n from t group by b order by n desc, b limit 3;
