-- Accounts without a database: alice may charge these two.
local allowed = { proj1 = true, proj2 = true }

function slurm_job_submit(job, partitions, uid)
  if job.account ~= nil and not allowed[job.account] then
    return slurm.ESLURM_INVALID_ACCOUNT
  end
  return slurm.SUCCESS
end

function slurm_job_modify(job, record, partitions, uid)
  return slurm.SUCCESS
end

return slurm.SUCCESS
