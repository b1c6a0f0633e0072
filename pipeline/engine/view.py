"""Builds the snapshot from the engine's state."""

import os

from pipeline.engine.active import ActiveRun
from pipeline.engine.core import Core
from pipeline.engine.rates import bottleneck
from pipeline.machine import MachineView
from pipeline.model import JobState, RunState, Stage
from pipeline.rows import Rows
from pipeline.snapshot import RunView, Snapshot, StageView


class View:
    """Makes one snapshot after another."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._serial = 0
        self._sampled_s = 0.0

    def build(self, machine: MachineView) -> Snapshot:
        """Return the engine as it is now. Rows that did not change are the same objects as before."""
        core, run = self._core, self._core.active
        self._serial += 1
        return Snapshot(
            serial=self._serial,
            taken_s=core.wall_clock(),
            run=self._run(run) if run else None,
            jobs=run.rows.rows() if run else Rows(),
            failures=tuple(run.failures) if run else (),
            stages=self._stages(run) if run else (),
            workers=tuple(worker.view() for _, worker in sorted(core.pool.workers.items())),
            workers_recycled=core.pool.recycled,
            worker_plan=core.worker_plan,
            hosts=core.hosts.views,
            machine=machine,
            notices=tuple(core.notices),
            runs=core.runs,
            lab=core.lab,
            classify=core.classify,
            fatal=core.fatal,
        )

    def sample(self) -> None:
        """Note at this moment which worker is in which stage, and how fast each stage goes."""
        core, run = self._core, self._core.active
        if run is None:
            return
        now = core.clock()
        passed = min(now - self._sampled_s, run.settings.engine.rate_window_s) if self._sampled_s else 0.0
        self._sampled_s = now
        if run.rates_at(now) != now:
            return
        shares: dict[Stage, int] = {}
        for worker in core.pool.running():
            stage = worker.running.stage if worker.running else None
            if stage is not None and worker.running and not worker.running.waiting:
                shares[stage] = shares.get(stage, 0) + 1
        for stage, rates in run.stages.items():
            rates.busy.add(now, passed * shares.get(stage, 0) / max(1, core.pool.target))
            rates.history.add(now, rates.items.per_s(now))

    def _stages(self, run: ActiveRun) -> tuple[StageView, ...]:
        now, hosts = run.rates_at(self._core.clock()), self._core.hosts
        queued = run.counts[JobState.QUEUED] + run.counts[JobState.WAITING]
        views = []
        for stage, rates in run.stages.items():
            embeds = stage is Stage.EMBED
            first = stage is next(iter(run.stages))
            views.append(
                StageView(
                    stage=stage,
                    done=rates.done,
                    items_per_s=round(rates.items.per_s(now), 3),
                    video_s_per_s=round(rates.video_s.per_s(now), 3),
                    p50_s=rates.percentile(0.5),
                    p95_s=rates.percentile(0.95),
                    queue_depth=queued if first else self._in_stage(stage, waiting=True),
                    busy_share=round(hosts.busy_share if embeds else min(1.0, rates.busy.per_s(now)), 3),
                    bytes_waiting=sum(host.queue_bytes for host in hosts.views) if embeds else 0,
                    history=rates.history.view(),
                )
            )
        return tuple(views)

    def _in_stage(self, stage: Stage, *, waiting: bool) -> int:
        running = [worker.running for worker in self._core.pool.running() if worker.running]
        return sum(1 for one in running if one.stage is stage and bool(one.waiting) is waiting)

    def _run(self, run: ActiveRun) -> RunView:
        core, record = self._core, run.record
        estimate = self._estimate(run)
        return RunView(
            run_id=record.run_id,
            kind=record.kind,
            state=RunState.PAUSED if core.ledger_trouble and run.state is RunState.RUNNING else run.state,
            preset=record.preset,
            inputs=tuple(os.fsdecode(path) for path in record.inputs),
            out=os.fsdecode(record.out),
            started_s=record.started_s,
            elapsed_s=run.elapsed_s(core.clock()),
            total=len(run.rows),
            counts=tuple((state, run.counts[state]) for state in JobState if run.counts[state]),
            discovering=run.discovering,
            loading=not run.begun,
            reused=run.reused,
            eta_s=estimate[0] if estimate else None,
            eta_low_s=estimate[1] if estimate else None,
            eta_high_s=estimate[2] if estimate else None,
            video_s_per_s=round(run.video_s.per_s(run.rates_at(core.clock())), 3),
            bytes_read=run.bytes_read,
            bytes_written=run.bytes_written,
            bottleneck=self._bottleneck(run),
            paused_because=core.ledger_trouble or run.paused_because,
        )

    def _estimate(self, run: ActiveRun) -> tuple[float, float, float] | None:
        if run.state is not RunState.RUNNING:
            return None
        jobs = {worker.running.job.job_id for worker in self._core.pool.running() if worker.running}
        return run.estimate.seconds_left(run.active_s, [row.progress for job in jobs if (row := run.row(job))])

    def _bottleneck(self, run: ActiveRun) -> str:
        if run.state is not RunState.RUNNING:
            return ""
        core, now = self._core, self._core.clock()
        running = [worker.running for worker in core.pool.running() if worker.running]
        return bottleneck(
            {stage: min(1.0, rates.busy.per_s(now)) for stage, rates in run.stages.items()},
            waiting_for_host=sum(1 for one in running if one.waiting == "model host"),
            busy=len(running),
            workers=core.pool.target,
            host_share=core.hosts.busy_share,
            loading=any(host.state in {"starting", "loading"} for host in core.hosts.views),
        )
