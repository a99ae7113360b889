# cmake -DCOMMAND="program;arguments" -DCODES="7;137" -DOUTPUT=regex -DSECONDS=10 -P expect_exit.cmake
# Fails unless the command ends in time with one of the exit codes and prints something that matches.
cmake_policy(VERSION 3.25)
foreach(attempt RANGE 1 3)
  execute_process(COMMAND ${COMMAND} TIMEOUT ${SECONDS} RESULT_VARIABLE code OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  message("${output}\nexit code ${code}")
  # Open MPI 4's mpirun sometimes crashes itself once it has ended a job, and its exit code is lost.
  if(NOT output MATCHES "PMIx_server_finalize")
    break()
  endif()
endforeach()
if(NOT code IN_LIST CODES)
  message(FATAL_ERROR "expected exit code ${CODES}")
endif()
if(NOT output MATCHES "${OUTPUT}")
  message(FATAL_ERROR "expected output that matches: ${OUTPUT}")
endif()
